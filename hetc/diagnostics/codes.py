"""Every diagnostic code and what it means, in one line each.

A code, once given, keeps its meaning. Ranges: HET0xx syntax, lexical, limits; HET1xx names, shapes, dtypes,
types; HET2xx memory and steps; HET3xx not supported yet, or refused by a backend; HET4xx usage, options,
platforms; HET5xx the environment.
"""

CODES: dict[str, str] = {
    # HET0xx: syntax, lexical, limits
    "HET000": "a summary line: how many further diagnostics are not shown",
    "HET001": "the source file is not UTF-8 text",
    "HET002": "the source file holds a NUL byte",
    "HET003": "the source file is too large",
    # HET1xx: names, shapes, dtypes, types
    # HET2xx: memory and steps
    # HET3xx: not supported yet, or refused by a backend
    # HET4xx: usage, options, platforms
    "HET401": "the file does not exist",
    "HET402": "a directory stands where a file is expected",
    "HET403": "the file cannot be read",
    "HET420": "no platform has this name",
    "HET421": "the platform file is not valid TOML",
    "HET422": "the platform file has a wrong, missing or unknown key",
    "HET423": "the platform has no device of the kind asked for",
    # HET5xx: the environment
    "HET501": "a program, package or device that is needed is missing, or of an unsupported version",
}
