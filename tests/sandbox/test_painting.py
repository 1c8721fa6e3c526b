"""Pictures painted by the embedded gateway: of the asked size, showing the prompt, the same every time."""

import io

import pytest
from PIL import Image, ImageChops, ImageDraw

from mtu_mcp.sandbox import lettering, painting, wording
from mtu_mcp.sandbox.painting import Finish


def _open(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def _plain(colour: tuple[int, int, int], size: tuple[int, int] = (300, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("size", [(256, 256), (1024, 1024), (1792, 1024), (1024, 1536), (512, 2048), (16, 16)])
@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_a_picture_is_of_exactly_the_asked_size_and_format(size, form):
    """Our promise: a real file in the format that was asked for."""
    picture = _open(painting.paint("a red boat in the mountains", *size, finish=Finish(form)))
    assert picture.size == size
    assert picture.format == form.upper()


def test_the_same_prompt_gives_the_same_bytes_and_another_number_another_picture():
    """Our promise: runs can be repeated, and the pictures of one call differ."""
    first = painting.paint("quarterly report", 256, 256)
    assert first == painting.paint("quarterly report", 256, 256)
    assert first != painting.paint("quarterly report", 256, 256, number=1)


@pytest.mark.parametrize("prompt", ["a red circle", "一个红色的圆"])
def test_a_thing_has_the_colour_its_prompt_gives_it(prompt):
    """Our promise: colours and shapes named in English or Chinese are painted."""
    picture = _open(painting.paint(prompt, 512, 512)).convert("RGB")
    middle = picture.getpixel((256, int(512 * 0.68 * 0.53)))
    assert middle == (214, 57, 51)


def test_a_background_colour_colours_the_ground_and_not_the_thing():
    """Our promise: "on a yellow background" is understood."""
    reading = wording.read_prompt("a red circle and a blue square on a yellow background")
    assert [(thing.name, thing.colour) for thing in reading.things] == [
        ("circle", (214, 57, 51)),
        ("square", (60, 120, 205)),
    ]
    assert reading.colours == ((245, 205, 70),)


def test_a_word_that_only_holds_a_colour_or_thing_is_not_mistaken_for_it():
    """Chinese words are not separated by spaces: 小心 is not a heart, 江南 is not a river."""
    assert wording.read_prompt("小心开心的大家，江南").things == ()


@pytest.mark.parametrize("letter", list("永鱼龍體驗ひカABé，。《》Ж"))
def test_the_shipped_font_draws_chinese_and_its_neighbours(letter):
    """Our promise: Chinese is legible on a machine without a Chinese font."""
    assert lettering.known(letter)


def test_a_character_no_font_has_becomes_its_code_point_instead_of_a_failure():
    """Our promise: never fail on a prompt; say which character it was."""
    assert not lettering.known("🙂")
    with_face = _open(painting.paint("face 🙂", 256, 256))
    without = _open(painting.paint("face", 256, 256))
    assert with_face.size == without.size


def test_lines_break_between_chinese_characters_but_not_before_punctuation():
    """The usual rule of Chinese typesetting."""
    lines = lettering.wrap("今天的天气很好，我们去公园散步吧。" * 3, 200, 24)
    assert len(lines) > 2
    assert all(lettering.width_of(line, 24) <= 200 + 24 for line in lines)
    assert not any(line[0] in "，。" for line in lines)


def test_a_text_too_long_for_its_card_is_cut_and_the_rest_is_counted():
    """Our promise: nothing is left off silently."""
    setting = lettering.fit("word " * 2000, 300, 100, largest=30)
    assert setting.left_off > 1000
    assert setting.lines[-1].endswith("…")


def test_very_long_words_are_cut_to_the_width():
    """A URL must not run out of the card."""
    assert all(lettering.width_of(line, 20) <= 200 for line in lettering.wrap("x" * 500, 200, 20))


def test_a_transparent_picture_has_an_empty_ground():
    """OpenAI API reference: background=transparent with png or webp."""
    picture = _open(painting.paint("a pink heart", 256, 256, transparent=True))
    assert picture.mode == "RGBA"
    assert picture.getpixel((3, 3))[3] == 0


def test_a_png_says_in_its_metadata_who_painted_it():
    """Our promise: pictures are signed, and carry their prompt."""
    picture = _open(painting.paint("雪山", 256, 256))
    assert "embedded gateway" in picture.text["Software"]
    assert picture.text["Description"] == "雪山"


def test_an_edit_with_a_mask_leaves_the_rest_as_it_was():
    """OpenAI API reference: the transparent areas of the mask tell where the picture is edited."""
    mask = Image.new("RGBA", (300, 300), (0, 0, 0, 255))
    ImageDraw.Draw(mask).rectangle((100, 50, 199, 149), fill=(0, 0, 0, 0))
    out = io.BytesIO()
    mask.save(out, "PNG")
    edited = _open(painting.edit("green", [_plain((10, 20, 30))], 300, 300, mask=out.getvalue())).convert("RGB")
    changed = ImageChops.difference(edited, Image.new("RGB", (300, 300), (10, 20, 30)))
    signature = changed.crop((0, 260, 300, 300))
    assert signature.getbbox() is not None
    left, top, right, bottom = changed.crop((0, 0, 300, 260)).getbbox()
    assert (left, top, right, bottom) == pytest.approx((100, 50, 200, 150), abs=3)


def test_several_references_stand_side_by_side():
    """OpenAI API reference: an edit takes up to 16 pictures."""
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    edited = _open(painting.edit("x", [_plain(colour) for colour in colours], 900, 600)).convert("RGB")
    row = int(600 * 0.68 / 2)
    assert [edited.getpixel((x, row)) for x in (150, 450, 750)] == colours


def test_variations_differ_from_each_other_and_keep_the_size():
    """OpenAI API reference: n variations of a given image."""
    source = painting.paint("a green tree", 256, 256)
    made = [painting.vary(source, 512, 512, number=number) for number in range(4)]
    assert len(set(made)) == 4
    assert {_open(data).size for data in made} == {(512, 512)}


def test_partial_pictures_grow_sharper():
    """OpenAI API reference: partial images come before the whole one."""
    whole = painting.paint("a red circle", 256, 256)
    target = _open(whole).convert("L")

    def distance(data: bytes) -> int:
        levels = ImageChops.difference(_open(data).convert("L"), target).histogram()
        return sum(level * count for level, count in enumerate(levels))

    first, second = (distance(painting.unfinished(whole, step, 2)) for step in (0, 1))
    assert first > second > 0


def test_bytes_that_are_no_picture_are_known_as_such():
    """A damaged upload must be refused, not crash the gateway."""
    assert painting.read_picture(b"nothing") is None
    assert painting.read_picture(painting.paint("x", 64, 64)[:200]) is None
    facts = painting.read_picture(_plain((1, 2, 3)))
    assert facts is not None
    assert (facts.width, facts.format, facts.alpha) == (300, "PNG", False)
