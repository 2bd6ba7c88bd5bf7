from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.dependencies.requirement_lines import Requirements, parse, read


def lines(tmp_path: Path, text: str, **others: str) -> Requirements:
    tree = tmp_path / "tree"
    for name, content in {"requirements.txt": text, **others}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return read(tree / "requirements.txt", tree, lambda url: "ours.example" in url)


def refused(tmp_path: Path, text: str, **others: str) -> str:
    with pytest.raises(AppError) as caught:
        lines(tmp_path, text, **others)
    assert caught.value.code == Code.BAD_REQUIREMENTS
    assert caught.value.hint
    return caught.value.message


def test_requirements_comments_continuations_markers_and_extras(tmp_path: Path) -> None:
    text = "# head\n\nFlask==3.0 # why\nrequests[socks]>=2 ; python_version > '3.8'\nidna \\\n  ==3.7\n"
    found = lines(tmp_path, text)
    assert found.requirements == ("Flask==3.0", 'requests[socks]>=2; python_version > "3.8"', "idna==3.7")
    assert found.names == {"flask", "requests", "idna"}


def test_hashes_are_kept_by_normalised_name(tmp_path: Path) -> None:
    found = lines(tmp_path, "My_Pkg==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n")
    assert found.requirements == ("My_Pkg==1",)
    assert found.hashes == {"my-pkg": {"sha256:aa", "sha256:bb"}}


def test_includes_are_read_relative_to_their_own_file_and_once(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        "-r sub/base.txt\n--requirement=sub/base.txt\n-c limits.txt\nsix",
        **{"sub/base.txt": "idna\n-r ../other.txt\n-r base.txt", "other.txt": "toml", "limits.txt": "six<2"},
    )
    assert found.requirements == ("idna", "toml", "six")
    assert found.constraints == ("six<2",)


def test_projects_and_wheels_inside_the_zip_are_local(tmp_path: Path) -> None:
    files = {"lib/pyproject.toml": "", "w/a-1-py3-none-any.whl": "", "other/setup.py": ""}
    found = lines(
        tmp_path, "-e ./lib\n./w/a-1-py3-none-any.whl\nother @ ./other\nfile:other[x] ; os_name == 'posix'", **files
    )
    assert [(one.shown, one.suffix) for one in found.local] == [
        ("lib", ""),
        ("w/a-1-py3-none-any.whl", ""),
        ("other", ""),
        ("other", "[x] ; os_name == 'posix'"),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ok\n../outside", "line 2"),
        ("/etc", "outside the zip"),
        ("-e ..", "outside the zip"),
        ("-r /etc/passwd", "outside the zip"),
        ("x @ file:///etc", "outside the zip"),
        ("./missing", "not in the zip"),
        ("-r missing.txt", "missing.txt"),
        ("-r https://host.example/r.txt", "from the network"),
        ("git+https://user:secret@host.example/x.git", "host.example"),
        ("x @ git+ssh://git@host.example/x.git", "host.example"),
        ("x @ https://user:secret@host.example/x.whl", "host.example"),
        ("https://host.example/x.tar.gz", "host.example"),
        ("-e git+https://host.example/x.git#egg=x", "host.example"),
        ("-i https://user:secret@host.example/simple", "host.example"),
        ("--extra-index-url=https://host.example/simple", "host.example"),
        ("--find-links ./wheels", "--find-links"),
        ("--no-index", "--no-index"),
        ("x --global-option=y", "--global-option"),
        ("flask=3", "flask=3"),
        ("./" + "x" * 300, "not a valid path"),
        ("two words", "two words"),
        ("-c limits.txt\n-Z", "-Z"),
        ("--requirements limits.txt", "--requirements"),
        ("--pre_release", "--pre_release"),
        ("six; " + "(" * 5000, "is not a requirement"),
    ],
)
def test_what_leads_out_of_the_zip_or_makes_no_sense_is_refused_by_line(tmp_path: Path, text: str, named: str) -> None:
    message = refused(tmp_path, text, **{"limits.txt": ""})
    assert named in message
    assert "line" in message
    assert "secret" not in message


def test_files_that_include_one_another_without_end_are_refused(tmp_path: Path) -> None:
    chain = {f"r{number}.txt": f"-r r{number + 1}.txt\n" for number in range(1500)}
    assert "more than 100 files" in refused(tmp_path, "-r r0.txt", **chain)


def test_what_a_tool_wrote_includes_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("root:x")
    for option in ("-r", "--requirement", "-c", "--constraint"):
        with pytest.raises(AppError, match=f"the option {option} is not supported"):
            parse(f"{option} secret.txt", "pyproject.toml", tmp_path, tmp_path)


@pytest.mark.parametrize("option", ["-e ./lib", "-e./lib", "-e\t'./lib'", "--editable=./lib", '--editable "./lib"'])
def test_an_option_takes_its_value_in_all_of_pips_forms(tmp_path: Path, option: str) -> None:
    assert [one.shown for one in lines(tmp_path, option, **{"lib/pyproject.toml": ""}).local] == ["lib"]


def test_an_index_of_the_worker_and_options_without_effect_pass(tmp_path: Path) -> None:
    found = lines(tmp_path, "-i https://ours.example/simple\n--pre\n--no-binary six\n--trusted-host x\nsix")
    assert found.prerelease
    assert found.options == ("--no-binary six",)
    assert found.requirements == ("six",)


def test_utf16_with_its_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_bytes("flask\r\n".encode("utf-16"))
    assert read(tmp_path / "r.txt", tmp_path, lambda _: False).requirements == ("flask",)


@given(st.text("ab@:/.-=[];'\"#\\ \n\0é", max_size=40) | st.text(max_size=60))
def test_any_text_is_read_or_refused_as_the_uploaders(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tree = tmp_path_factory.getbasetemp()
    with contextlib.suppress(AppError):
        found = parse(text, "requirements.txt", tree, tree)
        assert all(one.path.is_relative_to(tree.resolve()) for one in found.local)
