import os
import socket
import sys
from pathlib import Path

import pytest

from mtu_mcp.errors import BadInput, MtuError, NotFound, PathNotAllowed
from mtu_mcp.media import Workspace, folders_from_roots
from mtu_mcp.media.opening import CAN_WALK, open_inside

posix = pytest.mark.skipif(os.name == "nt", reason="links, devices and pipes as POSIX has them")


@pytest.fixture
def ground(tmp_path):
    """An allowed folder with files, a secret outside it, an output folder."""
    home = tmp_path / "home"
    allowed = home / "project"
    (allowed / "sub").mkdir(parents=True)
    (allowed / "picture one.png").write_bytes(b"inside")
    (allowed / "sub" / "Müller 100%.txt").write_bytes(b"inside")
    (home / "secret.txt").write_bytes(b"secret")
    (home / "project-secret").mkdir()
    (home / "project-secret" / "a.png").write_bytes(b"secret")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "made.png").write_bytes(b"inside")
    return home


@pytest.fixture
def workspace(ground, tmp_path):
    return Workspace([ground / "project"], tmp_path / "out", home=ground)


def read(workspace, text):
    with workspace.open(workspace.locate(text)) as stream:
        return stream.read()


@pytest.mark.parametrize(
    "form",
    [
        "{allowed}/picture one.png",
        "{allowed}/./sub/../picture one.png",
        "{allowed}//picture one.png",
        "file://{allowed}/picture%20one.png",
        "file:{allowed}/picture%20one.png",
        "FILE://localhost{allowed}/picture one.png",
        "file://{allowed}/sub/M%C3%BCller%20100%25.txt",
        "~/project/picture one.png",
        "picture one.png",
        "sub/Müller 100%.txt",
        "made.png",
    ],
)
def test_a_file_in_an_allowed_folder_is_found_in_every_form(workspace, ground, form):
    """Our promise; RFC 8089 for file: URIs."""
    assert read(workspace, form.format(allowed=ground / "project")) == b"inside"


EVIL = [
    "",
    ".",
    "..",
    "/",
    "~",
    "~root",
    "~/secret.txt",
    "~/project-secret/a.png",
    "../secret.txt",
    "sub/../../secret.txt",
    "sub/../../../../../../../../etc/passwd",
    "./../project-secret/a.png",
    "/etc/passwd",
    "//etc/passwd",
    "/etc/../etc/passwd",
    "{allowed}",
    "{allowed}/",
    "{allowed}/..",
    "{allowed}/../secret.txt",
    "{allowed}-secret/a.png",
    "{allowed}/../project-secret/a.png",
    "{allowed}/sub",
    "{allowed}/picture one.png/..",
    "{allowed}/picture one.png/../../secret.txt",
    "{allowed}/picture one.png\0.txt",
    "picture one.png\n",
    "file://{allowed}/%2e%2e/secret.txt",
    "file://{allowed}/..%2Fsecret.txt",
    "file://{allowed}/%252e%252e/secret.txt",
    "file://{allowed}/picture%20one.png%00.txt",
    "file://{allowed}/%ff%fe",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "file://otherhost/etc/passwd",
    "file://otherhost/../etc/passwd",
    "file://user@localhost/etc/passwd",
    "file://127.0.0.1{allowed}/picture%20one.png",
    "file:etc/passwd",
    "file:",
    "file://",
    "file:///",
    "File:/etc/passwd",
    "file:////etc/passwd",
    "http://localhost/x.png",
    "ftp://host/x.png",
    "jar:file:///etc/passwd!/x",
    "mtu://media/../secret.txt",
    "/dev/null",
    "/dev/zero",
    "/dev/stdin",
    "/dev/fd/0",
    "/proc/self/environ",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/README.md",
    "/proc/1/mem",
    "/sys/kernel/notes",
    "C:\\Windows\\win.ini",
    "C:/Windows/win.ini",
    "C:secret.txt",
    "\\\\server\\share\\x.png",
    "\\\\?\\C:\\x.png",
    "\\\\.\\PhysicalDrive0",
    "\\Windows\\win.ini",
    "..\\secret.txt",
    "CON",
    "nul.png",
    "picture one.png:stream",
    "picture one.png::$DATA",
    "picture one.png.",
    "picture one.png ",
    "a" * 300,
    "a/" * 2000 + "x",
    "a" * 5000,
    "/" + "a" * 255 + "/" + "b" * 256,
    "\ud800.png",
    "\u202epng.txt",
    "$HOME/secret.txt",
    "%HOME%/secret.txt",
    "`id`",
    "; cat /etc/passwd",
    "*",
    "picture*.png",
    "{{7*7}}",
    "-rf",
]


@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: ascii(evil)[:40])
def test_an_evil_name_is_refused_in_words(workspace, ground, evil):
    """Our promise: whatever a model writes, nothing outside is read and the answer is a sentence."""
    text = evil.replace("{allowed}", str(ground / "project"))
    with pytest.raises((BadInput, PathNotAllowed)) as caught:
        read(workspace, text)
    assert len(str(caught.value)) < 1000
    assert "\0" not in str(caught.value)


@posix
def test_a_link_out_of_the_folder_is_refused(workspace, ground):
    """Our promise: the real path decides."""
    (ground / "project" / "link.png").symlink_to(ground / "secret.txt")
    (ground / "project" / "way").symlink_to(ground)
    (ground / "project" / "loop").symlink_to(ground / "project" / "loop")
    for text in ("link.png", "way/secret.txt", str(ground / "project" / "way" / "secret.txt"), "loop", "loop/x"):
        with pytest.raises((BadInput, PathNotAllowed)):
            workspace.locate(text)


@posix
def test_a_link_within_the_folder_is_followed_to_the_real_file(workspace, ground):
    """Our promise: links are no crime, leaving is."""
    (ground / "project" / "alias.png").symlink_to("picture one.png")
    assert workspace.locate("alias.png").name == "picture one.png"
    assert read(workspace, "alias.png") == b"inside"


@posix
def test_an_allowed_folder_reached_by_a_link_works(ground, tmp_path):
    """macOS' /tmp is a link; roots come in either form."""
    (tmp_path / "door").symlink_to(ground / "project")
    workspace = Workspace([tmp_path / "door"], tmp_path / "out")
    assert read(workspace, str(tmp_path / "door" / "picture one.png")) == b"inside"
    assert read(workspace, str(ground / "project" / "picture one.png")) == b"inside"


@posix
def test_a_pipe_and_a_socket_are_refused_without_waiting(workspace, ground):
    """Our promise: opening a pipe would wait for ever for a writer."""
    os.mkfifo(ground / "project" / "pipe.wav")
    with pytest.raises(PathNotAllowed, match="not a regular file"):
        workspace.locate("pipe.wav")
    with pytest.raises(PathNotAllowed):
        workspace.open(ground / "project" / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(ground / "project")  # a socket's path has at most 108 characters
        try:
            listener.bind("s.wav")
        finally:
            os.chdir(here)
        with pytest.raises(PathNotAllowed):
            workspace.locate("s.wav")


@posix
def test_the_process_and_devices_stay_closed_though_everything_is_allowed(tmp_path):
    """Our promise: /proc/self/environ holds the key, whatever the host declares as its root."""
    workspace = Workspace([Path("/")], tmp_path / "out")
    for text in ("/proc/self/environ", "/dev/null", "/proc/self/fd/0", "proc/self/environ"):
        with pytest.raises((PathNotAllowed, BadInput)):
            workspace.locate(text)


def test_outside_and_absent_outside_are_told_alike(workspace, ground):
    """Our promise: nobody learns what exists outside."""
    told = []
    for name in ("secret.txt", "nothing.txt"):
        with pytest.raises(PathNotAllowed) as caught:
            workspace.locate(str(ground / name))
        told.append(str(caught.value).replace(name, "NAME"))
    assert told[0] == told[1]
    assert "MTU_ALLOWED_DIRS" in told[0]
    assert str(ground / "project") in told[0]


def test_a_mistyped_name_is_answered_with_near_names(workspace):
    """Our promise: errors heal."""
    with pytest.raises(NotFound, match=r"picture one\.png"):
        workspace.locate("Picture-one.png")


def test_a_relative_name_in_two_folders_is_asked_about(ground, tmp_path):
    """Our promise: exactly one match, else the reader chooses."""
    (tmp_path / "out" / "picture one.png").write_bytes(b"other")
    workspace = Workspace([ground / "project"], tmp_path / "out")
    with pytest.raises(BadInput, match="several"):
        workspace.locate("picture one.png")


def test_a_folder_listed_twice_is_one_folder(ground, tmp_path):
    """Hosts declare roots that are configured as well."""
    workspace = Workspace([ground / "project", ground / "project", ground / "project" / "sub" / ".."], tmp_path / "out")
    assert len(workspace.folders) == 2
    assert read(workspace, "picture one.png") == b"inside"


WAYS = [pytest.param(False, id="compare"), pytest.param(True, id="walk", marks=[] if CAN_WALK else pytest.mark.skip())]


@posix
@pytest.mark.parametrize("walk", WAYS)
def test_a_file_swapped_for_a_link_after_the_check_is_not_opened(workspace, ground, walk):
    """Our promise: no race between check and use."""
    path = workspace.locate("picture one.png")
    path.unlink()
    path.symlink_to(ground / "secret.txt")
    with pytest.raises(PathNotAllowed):
        open_inside(str(path.parent), path.name, walk=walk)
    with pytest.raises(PathNotAllowed):
        workspace.open(path)


@posix
@pytest.mark.parametrize("walk", WAYS)
def test_a_folder_swapped_for_a_link_after_the_check_is_not_entered(workspace, ground, walk):
    """Our promise: no race between check and use, on any step of the way."""
    path = workspace.locate("sub/Müller 100%.txt")
    (ground / "elsewhere").mkdir()
    (ground / "elsewhere" / path.name).write_bytes(b"secret")
    (ground / "project" / "sub").rename(ground / "project" / "moved")
    (ground / "project" / "sub").symlink_to(ground / "elsewhere")
    with pytest.raises(PathNotAllowed):
        open_inside(str(ground / "project"), f"sub/{path.name}", walk=walk)


@posix
@pytest.mark.parametrize("walk", WAYS)
def test_a_file_swapped_for_a_pipe_does_not_hang(workspace, walk):
    """Our promise: opening never waits."""
    path = workspace.locate("picture one.png")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PathNotAllowed):
        open_inside(str(path.parent), path.name, walk=walk)


@pytest.mark.parametrize("walk", WAYS)
@pytest.mark.parametrize("relative", ["", "..", "../secret.txt", "sub/../../secret.txt"])
def test_the_opener_itself_takes_no_way_out(ground, walk, relative):
    """Our promise: the last door holds alone."""
    with pytest.raises(PathNotAllowed):
        open_inside(str(ground / "project"), relative, walk=walk)


@pytest.mark.parametrize("walk", WAYS)
def test_a_file_that_vanished_is_told(ground, walk):
    """Our promise: every error says what happened."""
    with pytest.raises(NotFound, match="gone"):
        open_inside(str(ground / "project"), "nothing.png", walk=walk)


def test_opening_a_path_that_was_never_located_is_refused(workspace, ground):
    """Our promise: `open` trusts no caller."""
    for path in (ground / "secret.txt", Path("/etc/passwd"), ground / "project" / ".." / "secret.txt"):
        with pytest.raises(MtuError):
            workspace.open(path)


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="names there are case-insensitive")
def test_names_in_another_case_are_other_names(workspace):
    """Linux: the file system decides."""
    with pytest.raises(NotFound):
        workspace.locate("PICTURE ONE.PNG")


def test_roots_become_folders():
    """The MCP specification: roots are file: URIs; hosts add others and send them percent-encoded."""
    uris = [
        "file:///home/me/my%20project",
        "https://example.com/",
        "file://otherhost/x",
        "file:///home/me/my%20project",
    ]
    assert [str(path) for path in folders_from_roots(uris, windows=False)] == ["/home/me/my project"]


def test_windows_roots_become_folders():
    """VS Code writes file:///c%3A/Users/...; drive letters come in either case; shares have a host."""
    uris = [
        "file:///c%3A/Users/me/My%20Work",
        "file:///C:/Users/me/My Work",
        "file:///d|/data",
        "file://server/share/dir",
        "file:////server/share/dir",
        "file:///c%3A/con",
        "file:///%5C%5C.%5CPhysicalDrive0",
        "file:///no/drive",
        "file://./pipe/x",
        "file://server%2F..%2F/x",
    ]
    assert [str(path) for path in folders_from_roots(uris, windows=True)] == [
        "C:\\Users\\me\\My Work",
        "D:\\data",
        "\\\\server\\share\\dir",
    ]
