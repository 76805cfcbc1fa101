//! rsync, scp, sftp and ssh, by the manuals that their modules name.

use super::super::rsync;
use super::{check, words};
use crate::command::option::Word;

#[test]
fn rsync_is_understood() {
    check(&[
        ("rsync --version", "none"),
        ("rsync -a rsync://u@H:8730/mod/f /tmp/", "in rsync u@h:8730 >/tmp/"),
        ("rsync -a h::mod/f /tmp/", "in rsync h >/tmp/"),
        ("rsync -avz -e 'ssh -p 2222' u@h:/srv/f .", "in ssh u@h >."),
        ("rsync -e=ssh u@h:f .", "in ssh u@h >."),
        ("rsync --rsh 'ssh -J jump:22' u@h:f /tmp/f", "in ssh u@h >/tmp/f"),
        ("rsync --exclude x h:dir/ /data --delete", "in ssh h >/data"),
        ("rsync -a [2001:db8::5]:/srv/f /tmp/", "in ssh 2001:db8::5 >/tmp/"),
        ("rsync -a h:a :b :c /tmp/", "in ssh h >/tmp/"),
        ("rsync -a /tmp/f h::mod", "out rsync h >/tmp/f"),
        ("rsync --port=873 /tmp/f h::mod", "out rsync h:873 >/tmp/f"),
        ("rsync --chown root:root src h:dst", "out ssh h >src"),
        ("rsync -a /tmp/a:b u@[::1]:/in", "out ssh u@::1 >/tmp/a:b loopback"),
        ("rsync -an /tmp/f h:", "none ssh h"),
        ("rsync --list-only h:dir/ /tmp", "none ssh h"),
        ("rsync -av u@h:dir", "none ssh u@h"),
        ("rsync rsync://h/", "none rsync h"),
        ("rsync -a /data/ /backup/", "none"),
        ("rsync --out-format '%t:%f' -a /data/ /backup/", "none"),
        ("rsync -a /data/a:b /backup/", "none"),
        ("rsync --server -vlogDtpre.iLsfxCIvu . /srv", "in rsync >/srv server"),
        ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv", "out rsync >/srv server"),
        ("rsync --server -nlogDtpre.iLsfxCIvu . /srv", "none rsync >/srv server"),
        ("rsync --server --daemon .", "both rsync server"),
        ("rsync --daemon --no-detach", "both rsync listens server"),
    ]);
}

/// Every option that the tool's own help shows with a value is read with one, and no other is.
#[test]
fn options_are_those_of_its_help() {
    const HELP: &str = include_str!("rsync-3.5.0.txt");
    let mut options = 0;
    for line in HELP.lines().filter(|line| line.starts_with("--") || line.starts_with("-F")) {
        let names = line.split("  ").next().unwrap_or_default();
        let takes = names.contains('=');
        for name in names
            .split([',', '('])
            .map(str::trim)
            .filter(|name| name.starts_with('-'))
            .filter(|name| !name.contains("OPTION"))
        {
            let name = name.split('=').next().unwrap_or(name);
            let words = words(&format!("{name} value"));
            let read = rsync::OPTIONS.walk(&words).next();
            let expected = Word::Option(name.trim_start_matches('-'), takes.then_some("value"));
            assert_eq!(read, Some(expected), "{line}");
            options += 1;
        }
    }
    assert!(options > 120, "only {options}");
}

#[test]
fn scp_and_sftp_are_understood() {
    check(&[
        ("scp", "none"),
        ("scp u@h:f /tmp/", "in ssh u@h >/tmp/"),
        ("scp -P 2222 -i /k -o BatchMode=yes u@h:f .", "in ssh u@h:2222 >."),
        ("scp -O scp://u@h:22/f /tmp/f", "in ssh u@h:22 >/tmp/f"),
        ("scp -F cfg -T f u@h:", "out ssh u@h >f"),
        ("scp /tmp/f [2001:db8::5]:/in/f", "out ssh 2001:db8::5 >/tmp/f"),
        ("scp -J jump:22 f h:f", "out ssh h >f"),
        ("scp a:f b:g", "both ssh a b"),
        ("scp f ./a:b", "none"),
        ("scp -t /tmp", "in ssh >/tmp server"),
        ("scp -rf /etc/passwd", "out ssh >/etc/passwd server"),
        ("sftp", "none"),
        ("sftp -b - u@h", "both ssh u@h"),
        ("sftp -o ProxyJump=j:22 u@[::1]", "both ssh u@::1 loopback"),
        ("sftp u@h:/", "both ssh u@h"),
        ("sftp -P 22 u@h:/srv/f /tmp/", "in ssh u@h:22 >/tmp/"),
        ("sftp sftp://u@h:22", "both ssh u@h:22"),
        ("sftp sftp://u@h:22/f", "in ssh u@h:22"),
        ("sftp -D /usr/lib/sftp-server", "both"),
        ("sftp-server", "both ssh server"),
        ("sftp-server -R", "out ssh server"),
    ]);
}

#[test]
fn ssh_moves_what_is_piped_to_a_command() {
    check(&[
        ("ssh -V", "none"),
        ("ssh u@h", "none ssh u@h"),
        ("ssh h uptime", "none ssh h"),
        ("ssh -p 22 -l u h 'cat > /tmp/f'", "out ssh u@h:22 >-"),
        ("ssh h cat '>' f", "out ssh h >-"),
        ("ssh h cat /etc/passwd", "in ssh h >-"),
        ("ssh h 'cat f 2>/dev/null'", "in ssh h >-"),
        ("ssh h tar xzf - -C /srv", "out ssh h >-"),
        ("ssh h tar -czf - /srv", "in ssh h >-"),
        ("ssh h tar xf /tmp/a.tar", "none ssh h"),
        ("ssh h 'dd of=/dev/sdb bs=1M'", "out ssh h >-"),
        ("ssh h dd if=/dev/sda", "in ssh h >-"),
        ("ssh h -p 2222 -- sudo tee /etc/x", "out ssh h:2222 >-"),
        ("ssh ssh://u@h:2200 cat f", "in ssh u@h:2200 >-"),
        ("ssh -x -oPermitLocalCommand=no -l u -s -- h sftp", "none ssh u@h"),
        ("ssh -N -L 80:db:80 h", "none ssh h listens"),
        ("ssh -N -R 80:db:80 h", "none ssh h"),
        ("ssh h rsync --server --sender -e.LsfxCIvu . /srv", "none ssh h"),
    ]);
}
