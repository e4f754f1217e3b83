# SPDX-License-Identifier: Apache-2.0
"""What a program does before its own code runs (docs/decisions/0009-start.md)."""
import subprocess

import pytest
from conftest import PREFIX

PROGRAMS = sorted(
    path
    for folder in ("bin", "sbin", "libexec")
    for path in (PREFIX / folder).glob("*")
    if path.read_bytes()[:4] == b"\x7fELF"
)


def carries_the_runtime(program):
    needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return "libswiftCore" not in needed


def test_there_are_programs():
    assert len(PROGRAMS) >= 10


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_no_program_starts_another_on_a_crash(program):
    # The Swift runtime would, when the environment says so: also of a set-uid program.
    if not carries_the_runtime(program):
        pytest.skip("the shared runtime has its own way; installed programs carry theirs")
    assert b"swift-backtrace" not in program.read_bytes()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_no_program_takes_a_library_from_the_folder_it_is_in(program):
    if not carries_the_runtime(program):
        pytest.skip("a debug build finds the shared runtime by a path")
    dynamic = subprocess.run(
        ["readelf", "--dynamic", program], capture_output=True, text=True, check=True
    ).stdout
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
    assert "BIND_NOW" in dynamic


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_constants_are_in_memory_that_is_only_read(program):
    if not carries_the_runtime(program):
        pytest.skip("scripts/sections.ld is for installed programs")
    sections = subprocess.run(
        ["readelf", "--section-headers", "--wide", program],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    flags = [line.split("]")[1].split()[6] for line in sections.splitlines() if " .rodata " in line]
    assert flags and all("W" not in each for each in flags)
