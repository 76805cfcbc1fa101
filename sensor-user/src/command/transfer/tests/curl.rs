//! curl, by its manual of version 8.16 and by what 7.88.1 tells of its options.

use super::{check, read, words};
use crate::command::option::Word;
use crate::command::transfer::curl::OPTIONS;

#[test]
fn curl_is_understood() {
    check(&[
        ("curl", "none"),
        ("curl --version", "none"),
        ("curl -sV http://h/f", "none"),
        ("curl http://h/f", "in http h >-"),
        ("curl h/f", "in http h >-"),
        ("curl ftp.h/f", "in ftp ftp.h >-"),
        ("curl -sSLo f https://u:p@H:8443/f", "in https u@h:8443 >f"),
        ("curl -of http://h/f", "in http h >f"),
        ("curl --output f --url http://h/f", "in http h >f"),
        ("curl --output=f http://h/f", "in http h >f"),
        ("curl --outp f http://h/f", "in http h >f"),
        ("curl -OJ http://h/f", "in http h"),
        ("curl -A -V http://h/f", "in http h >-"),
        ("curl -H 'x -T f' http://h/f", "in http h >-"),
        ("curl -- -o", "in http -o >-"),
        ("curl -o a -o b http://h/a http://g/b", "in http h g >a >b"),
        ("curl -o /dev/null http://h/a http://h/b", "in http h h >-"),
        ("curl -o /dev/null -O http://h/a", "in http h"),
        ("curl -T f http://h/", "out http h >f"),
        ("curl -sSTf ftp://h/", "out ftp h >f"),
        ("curl -T - http://h/", "out http h >-"),
        ("curl --upload f http://h/", "out http h >f"),
        ("curl -T f -o answer http://h/", "out http h >f >answer"),
        ("curl -T f http://h/ http://g/x", "both http h g >f >-"),
        ("curl -T f http://h/ --next -o x http://g/", "both http h g >f >x"),
        ("curl -F x=@f http://h/", "out http h >f"),
        ("curl -F 'x=@\"a;b\";type=text/plain' http://h/", "out http h >a;b"),
        ("curl -F 'x=<f;type=text/plain' http://h/", "out http h >f"),
        ("curl -F x=y http://h/", "none http h"),
        ("curl --form-string x=@f http://h/", "none http h"),
        ("curl -d @f http://h/", "out http h >f"),
        ("curl -sd@f http://h/", "out http h >f"),
        ("curl --data-binary @- http://h/", "out http h >-"),
        ("curl --json @f http://h/", "out http h >f"),
        ("curl --data-urlencode x@f http://h/", "out http h >f"),
        ("curl --data-urlencode x=@f http://h/", "none http h"),
        ("curl --url-query x@f http://h/", "out http h >f"),
        ("curl --url-query +x@f http://h/", "in http h >-"),
        ("curl --data-raw @f http://h/", "none http h"),
        ("curl --variable v@f --expand-data '{{v}}' http://h/", "out http h >f"),
        ("curl --variable v=f --expand-url 'http://h/{{v}}'", "in http h >-"),
        ("curl -d a=b http://h/", "none http h"),
        ("curl -d a=b -o f http://h/", "in http h >f"),
        ("curl -X DELETE http://h/", "none http h"),
        ("curl -XGET http://h/", "in http h >-"),
        ("curl -I http://h/", "none http h"),
        ("curl -s -o /dev/null -w '%{http_code}' http://h/", "none http h"),
        ("curl -s -o /dev/null --trace t http://h/", "in http h"),
        ("curl -K f", "none"),
        ("curl -K f -o x http://h/", "in http h >x"),
        ("curl file:///etc/passwd", "none >file:///etc/passwd"),
        ("curl localhost:8080/health", "in http localhost:8080 >- loopback"),
        ("curl http://[::1]:80/", "in http ::1:80 >- loopback"),
        ("curl http://127.0.0.1/ http://h/", "in http 127.0.0.1 h >-"),
        ("curl http://127.0.0.1@h/", "in http 127.0.0.1@h >-"),
        ("curl -x http://p:3128 http://127.0.0.1/", "in http 127.0.0.1 >-"),
        ("curl --connect-to ::h:80 http://127.0.0.1/", "in http 127.0.0.1 >-"),
        ("curl --resolve localhost:80:203.0.113.7 http://localhost/", "in http localhost >-"),
        ("curl --unix-socket /run/docker.sock http://d/info", "in http ? >- loopback"),
    ]);
}

/// Every option that curl's own help shows with a value is read with one, and no other is.
#[test]
fn options_are_those_of_its_help() {
    const HELP: &str = include_str!("curl-7.88.1.txt");
    let mut options = 0;
    for line in HELP.lines().filter(|line| line.trim_start().starts_with('-')) {
        let takes = line.contains(" <") || line.contains(" [protocol");
        for name in line.split_whitespace().take_while(|word| word.starts_with('-')) {
            let name = name.trim_end_matches(',');
            // It may stand alone, and then nothing else matters.
            if matches!(name, "-h" | "--help") {
                continue;
            }
            let words = words(&format!("{name} value"));
            let value = takes.then_some("value");
            let read = OPTIONS.walk(&words).next();
            assert_eq!(read, Some(Word::Option(name.trim_start_matches('-'), value)), "{line}");
            options += 1;
        }
    }
    assert!(options > 250, "only {options}");
}

/// However many are named, few are kept; whether all are near is told of all.
#[test]
fn places_are_bounded() {
    let near = vec!["http://127.0.0.1/"; 40].join(" ");
    let transfer = read(&format!("curl {near} http://h/")).unwrap();
    assert_eq!((transfer.remotes.len(), transfer.loopback()), (16, Some(false)));
    let long = format!("curl -o {} http://{}/", "f".repeat(3000), "é".repeat(3000));
    let transfer = read(&long).unwrap();
    assert!(transfer.locals[0].len() <= 512 && transfer.remotes[0].text.len() <= 512);
    assert!(transfer.texts() < 4096);
}
