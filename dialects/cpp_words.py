"""Words that no name in a kernel may be: C++'s own, and the types and macros of the headers that kernels include."""

from __future__ import annotations

_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
    xor_eq"""
_HEADERS = """
    ap_fixed ap_int ap_int_base ap_ufixed ap_uint assert complex errno half hetc hls i386 int16_t int32_t int64_t
    int8_t linux main math_errhandling ptrdiff_t signbit size_t std stderr stdin stdout uint16_t uint32_t uint64_t
    uint8_t unix va_arg"""
_WORDS = frozenset(_KEYWORDS.split()) | frozenset(_HEADERS.split())


def usable(name: str) -> str:
    """An identifier as a name in C++: itself, or with `_v` where it is a word of C++ or, all capitals (`M_PI_2`), may
    be a macro."""
    return f"{name}_v" if name in _WORDS or (len(name) > 1 and name.isupper()) else name
