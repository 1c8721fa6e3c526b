import pytest

from mtu_mcp.errors import BadInput, MtuError, PathNotAllowed
from mtu_mcp.media.names import inside_windows, path_from_uri, safe_name, safe_stem, windows_flaw

GOOD = [
    "C:\\Users\\me\\a.png",
    "c:/Users/me/a.png",
    "D:\\",
    "\\\\server\\share\\a.png",
    "//server/share/a.png",
    "C:\\a\\..\\b.png",
]
BAD = [
    "\\\\?\\C:\\a.png",
    "\\\\?\\UNC\\server\\share\\a.png",
    "//?/C:/a.png",
    "\\\\.\\PhysicalDrive0",
    "\\\\.\\pipe\\x",
    "//./COM1",
    "\\??\\C:\\a.png",
    "C:a.png",
    "C:",
    "C:..\\a.png",
    "\\Windows\\win.ini",
    "/Windows/win.ini",
    "\\\\server",
    "\\\\server\\",
    "\\\\server\\share",
    "\\\\",
    "\\\\@evil\\share\\a",
    "C:\\a.png:stream",
    "C:\\a.png::$DATA",
    "C:\\a.png:stream:$DATA",
    "\\\\server\\share\\a.png:stream",
    "C:\\CON",
    "C:\\con.png",
    "C:\\x\\nul",
    "C:\\x\\NUL.tar.gz",
    "C:\\aux.\\a.png",
    "C:\\COM1",
    "C:\\com¹.png",
    "C:\\lpt9.txt",
    "C:\\CONIN$",
    "C:\\con .png",
    "C:\\a.png.",
    "C:\\a.png ",
    "C:\\dir.\\a.png",
    "C:\\...\\a.png",
    "C:\\a*.png",
    "C:\\a?.png",
    "C:\\a<b.png",
    "C:\\a|b.png",
    'C:\\a"b.png',
    "C:\\a\tb.png",
]


@pytest.mark.parametrize("path", GOOD)
def test_plain_windows_paths_pass(path):
    """Windows documentation, "Naming Files, Paths, and Namespaces"."""
    assert windows_flaw(path) == ""


@pytest.mark.parametrize("path", BAD, ids=ascii)
def test_what_windows_takes_for_something_else_is_told(path):
    """Windows documentation, "Naming Files, Paths, and Namespaces"; [MS-FSCC] for streams."""
    assert windows_flaw(path)


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("C:\\Work\\a.png", "c:\\work", True),
        ("c:/work/sub/a.png", "C:\\WORK\\", True),
        ("C:\\Work", "C:\\Work", True),
        ("C:\\Work2\\a.png", "C:\\Work", False),
        ("C:\\Work\\..\\a.png", "C:\\Work", False),
        ("D:\\Work\\a.png", "C:\\Work", False),
        ("C:\\a.png", "C:\\", True),
        ("\\\\?\\C:\\Work\\a.png", "C:\\Work", True),
        ("\\\\?\\UNC\\server\\share\\a.png", "\\\\server\\share", True),
        ("\\\\SERVER\\Share\\a.png", "\\\\server\\share", True),
        ("\\\\server\\share2\\a.png", "\\\\server\\share", False),
        ("\\\\other\\share\\a.png", "\\\\server\\share", False),
    ],
)
def test_windows_folders_hold_paths_in_any_case_and_slash(path, folder, inside):
    """Windows compares names without case and takes both slashes."""
    assert inside_windows(path, folder) is inside


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///c%3A/Users/a%20b.png", "C:\\Users\\a b.png"),
        ("file:///C:/a.png", "C:\\a.png"),
        ("file:///c|/a.png", "C:\\a.png"),
        ("file:/c:/a.png", "C:\\a.png"),
        ("file://localhost/c:/a.png", "C:\\a.png"),
        ("file://server/share/a.png", "\\\\server\\share\\a.png"),
        ("file:////server/share/a.png", "\\\\server\\share\\a.png"),
        ("file:///c:", "C:\\"),
    ],
)
def test_file_uris_become_windows_paths(uri, path):
    """RFC 8089, appendix E."""
    assert path_from_uri(uri, windows=True) == path


@pytest.mark.parametrize(
    "uri",
    [
        "file:///a.png",
        "file:a.png",
        "file://?/C:/a.png",
        "file://./pipe/x",
        "file://a@b/c/d",
        "file://h:80/s/x",
        "http://x/y",
        "file:///c:/%00",
    ],
)
def test_other_file_uris_are_no_windows_paths(uri):
    """RFC 8089; devices cannot be smuggled in as a host."""
    with pytest.raises(MtuError):
        path_from_uri(uri, windows=True)


def test_a_question_mark_in_a_glued_uri_is_part_of_the_name():
    """Hosts build URIs by gluing "file://" to a path."""
    assert path_from_uri("file:///a/what?#1.png", windows=False) == "/a/what?#1.png"


def test_a_host_in_a_uri_is_refused_where_paths_have_none():
    """RFC 8089, section 3: the host must be this one."""
    with pytest.raises(PathNotAllowed):
        path_from_uri("file://server/x", windows=False)
    with pytest.raises(BadInput):
        path_from_uri("file:x", windows=False)


TITLES = [
    "A red fox, jumping!",
    "猫が座っている",
    "../../etc/passwd",
    "..\\..\\x",
    "con",
    "NUL.txt",
    "COM1",
    "a" * 500,
    "猫" * 500,
    "",
    "...",
    "   ",
    "\0\n\r\t",
    "trailing. ",
    ".hidden",
    "-rf",
    'a/b:c*d?e"f<g>h|i',
    "e\u0301clair",
    "👩‍👩‍👧",
    "\u202egnp.exe",
    "\ud800",
    "C:\\x",
    "%2e%2e%2f",
]


@pytest.mark.parametrize("title", TITLES, ids=ascii)
def test_any_title_becomes_a_stem_every_system_takes(title):
    """Windows' and POSIX' rules for names; our limit of length."""
    stem = safe_stem(title, 60)
    assert len(stem) <= 60
    assert len(stem.encode()) <= 180
    assert not set(stem) & set('/\\:*?"<>|. \0')
    assert not stem or not windows_flaw(f"C:\\{stem}.png")
    assert not stem.startswith("-")


def test_a_title_keeps_its_words_in_every_script():
    """Our promise: telling names."""
    assert safe_stem("A red fox, jumping!", 60) == "A-red-fox-jumping"
    assert safe_stem("猫が座っている", 60) == "猫が座っている"
    assert safe_stem("e\u0301clair", 60) == "\u00e9clair"


@pytest.mark.parametrize(
    "name", [*TITLES, "a.png", "x/../b.PNG", "a.b.c.tar.gz", "evil.png\r\nX: y", 'a".png'], ids=ascii
)
def test_a_name_to_send_holds_nothing_that_breaks_a_header(name):
    """RFC 7578: the name goes into a quoted header field."""
    safe = safe_name(name)
    assert safe
    assert not set(safe) & set('/\\:*?"<>|\0\r\n ')
