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
    "HET004": "the source holds a character that hides what it says: a control character, another kind of line break",
    "HET010": "a bracket or a docstring is not closed, or a line breaks a limit",
    "HET011": "the indentation does not fit",
    "HET012": "the text does not follow the grammar",
    "HET013": "a name, a number or an expression breaks a limit",
    "HET014": "the file does not hold exactly one pipeline",
    # HET1xx: names, shapes, dtypes, types
    "HET100": "unknown name",
    "HET101": "a name is declared twice, or may not be defined here",
    "HET102": "not a constant, or not a usable extent",
    "HET103": "an index has no extent",
    "HET104": "extents disagree",
    "HET105": "the number of indices does not fit the tensor",
    "HET106": "the type of a value does not fit",
    "HET107": "a dim with one length a row needs the index of the row",
    "HET108": "a call has wrong arguments or results",
    "HET109": "something is declared but never used (a warning)",
    "HET110": "an unknown dtype",
    "HET111": "an output holds 0 where nothing was picked (a warning)",
    "HET112": "a condition always holds (a warning)",
    "HET113": "a read at a place before the first element (a warning)",
    # HET2xx: memory and steps
    "HET200": "a memory that grows is not appended to exactly once",
    "HET201": "a memory is written in a way that it does not allow",
    "HET202": "the growth of a step is not usable",
    "HET203": "a memory cannot lie as its layout says",
    # HET3xx: not supported yet, or refused by a backend
    "HET301": "a construct that is not supported yet",
    "HET302": "a stage is pinned to a device kind that has no backend",
    "HET303": "a device cannot run a stage that was placed on it",
    "HET304": "a device has less memory than the program takes there",
    "HET330": "a generated kernel holds an operation that its backend has no form for",
    "HET340": "upstream MLIR rejects what a pipeline was lowered to",
    "HET341": "upstream MLIR's dialects cannot express a statement (a note)",
    # HET4xx: usage, options, platforms
    "HET401": "the file does not exist",
    "HET402": "a directory stands where a file is expected",
    "HET403": "the file cannot be read",
    "HET404": "the command line is wrong: an unknown command or option, or a value missing or malformed",
    "HET406": "the file of dims is not valid TOML, or has a wrong table or value",
    "HET408": "a work directory cannot be written, or its files were edited",
    "HET409": "a directory is no work directory, or its files are missing or damaged",
    "HET410": "an option does not fit the pipeline or the platform",
    "HET411": "the text of a Python function cannot be read, or a file holds no such pipeline",
    "HET412": "a file of tensors is none, or its tensors do not fit the pipeline",
    "HET420": "no platform has this name",
    "HET421": "the platform file is not valid TOML",
    "HET422": "the platform file has a wrong, missing or unknown key",
    "HET423": "the platform has no device of the kind asked for",
    "HET424": "no host program can be made for a device of the platform",
    # HET5xx: the environment
    "HET501": "a program, package or device that is needed is missing, or of an unsupported version",
    "HET502": "a compiled program failed when it ran",
    "HET503": "the system refuses a file, a directory, memory or output that is needed",
}
