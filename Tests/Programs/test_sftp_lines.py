# SPDX-License-Identifier: Apache-2.0
"""Commands of sftp in a batch: what they print, their status and what they do is OpenSSH's.

A semicolon stands for the end of a line, `/L/` for the local folder.
"""
import os
import re
import shutil

import pytest
from conftest import OPENSSH, SERVERS, UNDER_TEST, run

COMMANDS = r"""
pwd;lpwd
ls
ls -1
ls -r
ls -f
ls dir
ls -l dir/g f1
ls nothere
ls *
ls f*
ls -l f?
ls "with space"
ls 'with space'
ls with\ space
ls star\*
ls q\"uote
ls -d dir
ls -z
cd dir;pwd;ls
cd nothere;pwd
cd f1
cd
cd link
cd dlink;pwd
lcd sub;lpwd
lcd nothere
lcd ~root;lpwd
put a/
put a/x
lls -d nothere sub;pwd
lls
!echo hi
!false
lmkdir nd
mkdir nd;ls -1
mkdir dir
mkdir a/b
rmdir empty;ls -1
rmdir dir
rmdir nothere
rm f1;ls -1
rm f*
rm nothere
rm dir
rename f1 f9;ls -1
rename f1 f2
rename -l f1 f8
rename nothere x
ln f1 hard;ls -l hard
ln -s f1 soft;ls -1
symlink f1 soft2
ln nothere h2
chmod 600 f1;ls -l f1
chmod 8 f1
chmod 644 nothere
chmod -h 644 link
chown 0 f1
chown x f1
chgrp 0 f1
chgrp -h 0 link
stat f1
lumask
lumask 022
lumask 9
version
progress
progress
bogus
get f1 /L/got
get f1
get nothere
get f*
get dir
get -r dir
get -r dir /L/newdir
get -p f1
get -a f1
get -P f1
get "with space"
get f1 f2 f3
get
get link
get dangling
reget f1
put a
put a zz
put nothere
put *
put -r sub
put sub
put -p a
put -f a
put
put a nodir/x
cp f1 f1copy;ls -1
cp nothere x
copy f1 f2
exit
quit
bye
-ls nothere;ls f1
@ls f1
-@ls nothere
# comment
  ls   f1  
ls f1 # trailing
put "unterminated
ls f1;
get f1 "/L/b d"
rm link/
rm dlink/
-rm */
ls */
ls -1 d*/
ls dlink/
ls link/
get f1/
-get link/
-rm *
chmod 700 *;ls
-chmod 700 */;ls
chmod -h 600 dangling link f1
get -r dir/ /L/tree
chmod 700 f1/
get f1 # comment
ls -1 f1#x
get "#hash" /L/hash
mkdir \#a b;ls -1
cd -dash
-cd -x;pwd -z
mkdir -- -made;ls -1
rm -- -dash;ls -1
lcd -z
cp -z f1 f2
chown 0x1 f1
chown 010 f1
-chgrp 08 f1
chown +0 f1
ls -l1
ls -nl1
ls -tS1 f?
ls -fS1 f1 f2
ls -ft1 f1
cd nothere/;pwd
cd f1/
cp f1 nodir/x
cp f1 dir
cp f1 dir/
reput sub/x f1
-reget f1 dir
put -rp sub f1;ls -l f1
cd [f];ls -1;rm *;cd ..;ls -1 f
"""

CONTENTS = {
    "l/a": "aaa", "l/b c": "bb", "l/sub/x": "x", "r/f1": "1111", "r/f2": "22", "r/dir/g": "g" * 3000,
    "r/dir/deep/h": "h", "r/-dash": "d", "r/with space": "s", "r/star*": "*", 'r/q"uote': "q",
    "l/long": "L" * 100000,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for name, text in CONTENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "r/empty").mkdir()
    for name in ("r/[f]/in", "r/f/in"):
        (folder / name).parent.mkdir()
        (folder / name).write_text("in")
    (folder / "l/sub").chmod(0o711)
    for name, target in (("link", "f1"), ("dangling", "nowhere"), ("dlink", "dir")):
        (folder / "r" / name).symlink_to(target)
    return folder


def files(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path.relative_to(folder))] = (oct(path.lstat().st_mode), content)
    return found


def outcome(suite, line, made, place):
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(made, place, symlinks=True)
    for path in place.rglob("*"):
        os.utime(path, (1700000000, 1700000000), follow_symlinks=False)
    before = files(place)
    result = run(
        [suite.sftp, "-D", f"{SERVERS['openssh']} -d {place}/r", "-b", "-"],
        input=(line.replace(";", "\n").replace("/L/", f"{place}/l/") + "\n").encode(),
        cwd=place / "l",
        env={"PATH": "/usr/bin:/bin", "HOME": str(place), "LC_ALL": "C.UTF-8"},
    )
    after = files(place)
    changed = {name: after.get(name) for name in before | after if before.get(name) != after.get(name)}
    text = [re.sub(r"\d\d:\d\d", "TIME", output.decode())
            for output in (result.stdout, result.stderr)]
    return result.returncode, *text, changed


@pytest.mark.parametrize("line", [line for line in COMMANDS.strip("\n").splitlines() if line])
def test_a_batch(line, made, tmp_path):
    seen = [outcome(suite, line, made, tmp_path / "here") for suite in (UNDER_TEST, OPENSSH)]
    assert seen[0] == seen[1]
