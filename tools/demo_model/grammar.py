"""A tiny text grammar: the generator's only machinery.

Templates are plain strings.  `{a|b|c}` picks one alternative (nestable, an
empty one is allowed), `[slot]` inserts a value of the scene, `[^slot]` the
same with a capital first letter.  `polish` then repairs what a template
cannot know: a/an, capitals at sentence starts, doubled spaces.

    expand(rng, "{Hello|Hi}, [P]!", {"P": "Tom"})   ->   "Hi, Tom!"
"""
import functools
import re


def _parse_alternatives(text, i, nested):
    """Parses from text[i]; returns (list of alternatives, next index)."""
    alternatives, parts, buffer = [], [], []

    def flush():
        if buffer:
            parts.append("".join(buffer))
            buffer.clear()

    while i < len(text):
        c = text[i]
        if c == "{":
            flush()
            inner, i = _parse_alternatives(text, i + 1, True)
            parts.append(inner)
            continue
        if c == "[":
            flush()
            end = text.index("]", i)
            parts.append(("slot", text[i + 1:end]))
            i = end + 1
            continue
        if nested and c in "|}":
            flush()
            alternatives.append(parts)
            parts = []
            i += 1
            if c == "}":
                return alternatives, i
            continue
        buffer.append(c)
        i += 1
    if nested:
        raise ValueError("unclosed { in template: " + text)
    flush()
    alternatives.append(parts)
    return alternatives, i


@functools.lru_cache(maxsize=None)
def _compiled(text):
    return _parse_alternatives(text, 0, False)[0]


def _emit(rng, alternatives, scene, out):
    parts = alternatives[0] if len(alternatives) == 1 else alternatives[int(rng.random() * len(alternatives))]
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, tuple):
            out.append(_slot(rng, part[1], scene))
        else:
            _emit(rng, part, scene, out)


def _slot(rng, name, scene):
    capital = name.startswith("^")
    value = scene[name[1:] if capital else name]
    if callable(value):
        value = value()
    if "{" in value or "[" in value:
        value = expand(rng, value, scene)
    return value[:1].upper() + value[1:] if capital else value


def expand(rng, template, scene):
    """One random expansion of the template; slots come from `scene`."""
    out = []
    _emit(rng, _compiled(template), scene, out)
    return "".join(out)


_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!(?:uni|use|usu|one|once|eu)\w*)|\b([Aa]) (?=(?:hour|honest)\w*)")
_SENTENCE = re.compile(r'((?:^|\n|[.!?] |\." |(?:^|[ \n])"))([a-z])')


def polish(text):
    """Repairs spacing, a/an and capitals at sentence and quotation starts."""
    text = re.sub(r" +", " ", text)
    text = re.sub(r" ([.,!?])", r"\1", text)
    text = re.sub(r" *\n *", "\n", text).strip()
    text = _ARTICLE.sub(lambda m: (m.group(1) or m.group(2)) + "n ", text)
    return _SENTENCE.sub(lambda m: m.group(1) + m.group(2).upper(), text)
