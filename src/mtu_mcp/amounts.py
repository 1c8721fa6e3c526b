"""How many of a thing, in words. Answers are read by people, and "1 pictures" makes them doubt the rest."""


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 picture", "1,240 characters"; `many` where the plural is not made with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
