//! wget, aria2c, axel, ftp, lftp, tftp and BusyBox's applets, by the manuals that their modules name.

use super::{check, told, words};
use crate::command::understand;

#[test]
fn wget_is_understood() {
    check(&[
        ("wget", "none"),
        ("wget --version", "none"),
        ("wget http://h/f", "in http h"),
        ("wget h:8080/f", "in http h:8080"),
        ("wget -qO- http://h/f", "in http h >-"),
        ("wget -nv -P /tmp ftp://u@h/f", "in ftp u@h"),
        ("wget -i list", "in"),
        ("wget --post-data a=b http://h/f", "in http h"),
        ("wget -O /dev/null http://h/f", "none http h"),
        ("wget -O /dev/null -O f http://h/f", "in http h >f"),
        ("wget -q --spider http://h/", "none http h"),
        ("wget --spid http://h/", "none http h"),
        ("wget --method=HEAD http://h/", "none http h"),
        ("wget --post-file=f http://h/", "out http h >f"),
        ("wget --post-f f http://h/", "out http h >f"),
        ("wget --method=PUT --body-file f http://h/", "out http h >f"),
        ("wget --header '--post-file=f' http://h/", "in http h"),
        ("wget http://127.0.0.1/f", "in http 127.0.0.1 loopback"),
        ("wget -e use_proxy=yes -e http_proxy=p:3128 http://127.0.0.1/f", "in http 127.0.0.1"),
        ("wget2 -O f https://h/f", "in https h >f"),
        ("busybox wget -Y off -O f http://h/f", "in http h >f"),
        ("busybox wget --help", "none"),
    ]);
}

#[test]
fn fetchers_are_understood() {
    check(&[
        ("aria2c -x 4 -d /tmp -o f https://h/f", "in https h >f"),
        ("aria2c -i list", "in"),
        ("aria2c --dry-run https://h/f", "none https h"),
        ("aria2c magnet:?xt=urn:btih:0", "in bittorrent ?"),
        ("aria2c f.torrent", "in >f.torrent"),
        ("aria2c --version", "none"),
        ("aria2c --enable-rpc", "none listens"),
        ("aria2c --all-proxy=http://p:8080 http://127.0.0.1/f", "in http 127.0.0.1"),
        ("axel -n 4 -o f http://h/f", "in http h >f"),
        ("axel --version", "none"),
    ]);
}

#[test]
fn ftp_and_tftp_are_understood() {
    check(&[
        ("ftp h", "both ftp h"),
        ("ftp -n h 2121", "both ftp h:2121"),
        ("ftp -n", "both ftp"),
        ("ftp -o f ftp://h/f", "in ftp h >f"),
        ("ftp h:/pub/f", "in ftp h"),
        ("ftp -u ftp://u@h/in/ f", "out ftp u@h >f"),
        ("lftp h", "both ftp h"),
        ("lftp -u u,p -p 2121 h", "both ftp u@h:2121"),
        ("lftp -c 'open h; get f'", "in ftp h"),
        ("lftp -e 'mirror -R d; quit' sftp://u@h", "out sftp u@h"),
        ("lftp -e 'mirror --reverse d; bye' h", "out ftp h"),
        ("lftp -c 'open -u u,p h && put f && get g'", "both ftp h"),
        ("lftp -c 'open h; ls'", "none ftp h"),
        ("lftp -f script", "both"),
        ("lftpget -c ftp://h/f", "in ftp h"),
        ("tftp h", "both tftp h"),
        ("tftp -m octet h 6969 -c get r l", "in tftp h:6969 >l"),
        ("tftp h -c put f", "out tftp h >f"),
        ("tftp -g -r f h", "in tftp h"),
        ("tftp -gl l -r f h 69", "in tftp h:69 >l"),
        ("tftp -p -l f h", "out tftp h >f"),
        ("busybox tftp --help", "none"),
        ("busybox ftpget -u a -p b h l r", "in ftp a@h >l"),
        ("busybox ftpput h r l", "out ftp h >l"),
        ("busybox ftpget h", "none"),
        ("busybox ftpget --help", "none"),
    ]);
}

/// Every option that the tool's own help shows with a value is read with one.
#[test]
fn options_are_those_of_its_help() {
    use crate::command::option::Word;
    const HELP: &str = include_str!("wget-1.21.3.txt");
    let mut options = 0;
    for line in HELP.lines().filter(|line| line.trim_start().starts_with('-')) {
        let Some(long) = line.split_whitespace().find(|word| word.starts_with("--")) else { continue };
        let Some((name, _)) = long.split_once('=') else { continue };
        let words = words(&format!("{name} value"));
        let read = super::super::wget::OPTIONS.walk(&words).next();
        assert_eq!(read, Some(Word::Option(name.trim_start_matches('-'), Some("value"))), "{line}");
        options += 1;
    }
    assert!(options > 60, "only {options}");
}

/// BusyBox is called by an applet's name, by its own, and through `/proc/self/exe`.
#[test]
fn an_applet_is_known_under_any_name() {
    let applet = |images: &[&str], line: &str| {
        let words = words(line);
        let command = understand(images.iter().copied(), &words)?;
        command.transfer.as_ref().map(|transfer| transfer.tool)
    };
    assert_eq!(applet(&["/bin/busybox", "/bin/wget"], "wget http://h/f"), Some("wget"));
    assert_eq!(
        applet(&["/bin/busybox", "/proc/self/exe", "/bin/wget"], "wget -O f http://h/f"),
        Some("wget")
    );
    assert_eq!(applet(&["/bin/busybox"], "busybox nc h 1"), Some("nc"));
    assert_eq!(applet(&["/bin/busybox", "/bin/sh"], "sh -c wget"), None);
    assert_eq!(told("ls -l /usr/bin/curl"), "nothing");
}
