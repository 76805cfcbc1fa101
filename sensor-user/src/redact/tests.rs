//! Every sample is hit, whichever way it comes; what is none stays; no way out has a secret.

mod corpus;
mod page;
mod way;

use std::fmt::Write as _;

use proptest::prelude::*;

use super::shell::{Piece, pieces};
use super::*;

/// A sample without its signs, and the secret in it.
fn sample(marked: &str) -> (String, String) {
    let (before, rest) = marked.split_once('«').expect(marked);
    let (secret, behind) = rest.split_once('»').expect(marked);
    (format!("{before}{secret}{behind}"), secret.to_owned())
}

/// Its words as a shell would give them to a program.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    pieces(line, &mut |piece| {
        if let Piece::Word(range) = piece {
            let word = line[range].replace("\\\"", "\"");
            let assigned = word.split_once(['=', '\'']).filter(|(_, rest)| rest.ends_with(['\'', '"']));
            words.push(match assigned {
                Some((name, _)) if word.starts_with("--") => {
                    format!("{name}={}", word[name.len() + 1..].trim_matches(['\'', '"']))
                }
                _ => word,
            });
        }
    });
    words
}

fn arguments(words: &[String]) -> Arguments {
    Redactor::default().tally().arguments(&words.into()).unwrap_or_else(|| words.into())
}

#[test]
fn every_sample_is_hit_whichever_way_it_comes() {
    let redactor = Redactor::default();
    for row in FORMS {
        assert!(!row.samples.is_empty(), "{}", row.name);
        for marked in row.samples {
            let (line, secret) = sample(marked);
            let words = words(&line);
            let script = vec!["sh".to_owned(), "-c".to_owned(), line.clone()];
            for told in [
                arguments(&words).line().to_owned(),
                arguments(&script).line().to_owned(),
                redactor.line(&line).into_owned(),
            ] {
                assert!(!told.contains(&secret), "{}: {line}\n{told}", row.name);
                assert!(told.contains("<redacted:"), "{}: {line}\n{told}", row.name);
            }
            // What is around it stays.
            let told = arguments(&words);
            let first = words.first().unwrap();
            assert_eq!(told.iter().next(), Some(first.as_str()), "{line}");
            assert_eq!((told.count() as usize, told.iter().count()), (words.len(), words.len()), "{line}");
            assert_eq!(told.line(), told.iter().collect::<Vec<_>>().join(" "), "line and arguments are one");
            let name = format!("<redacted:{}:", row.name);
            assert!(told.line().contains(&name), "{} is told as another: {}", row.name, told.line());
        }
    }
}

/// The line that many forms make of quotes, as an ancestor has it who is long gone.
#[test]
fn a_line_without_its_words_is_read_as_far_as_it_goes() {
    let redactor = Redactor::default();
    for (line, expected) in [
        ("curl -H Authorization: Bearer abcdef https://h/", "curl -H Authorization: Bearer <> https://h/"),
        ("curl -H Authorization: Foo abcdef https://h/", "curl -H Authorization: <> <> https://h/"),
        ("curl -H X-Api-Key: abcdef -o f", "curl -H X-Api-Key: <> -o f"),
        ("echo don't; curl -u bob:x h", "echo don't; curl -u bob:<> h"),
        ("curl http://h/?a=b&c=d -u bob:x", "curl http://h/?a=b&c=d -u bob:<>"),
    ] {
        assert_eq!(bare(&redactor.line(line)), expected);
    }
}

/// Marks without what they say.
fn bare(text: &str) -> String {
    let (mut told, mut at) = (String::new(), 0);
    for (begin, end) in mark::places(text) {
        write!(told, "{}<>", &text[at..begin]).unwrap();
        at = end;
    }
    told + &text[at..]
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = Redactor::default();
    for line in [
        "mysql -p",
        "mysql -u root -h db shop",
        "docker run -p 8080:80 --name curl nginx",
        "curl -u bob https://h/",
        "curl -b /tmp/cookies -o /tmp/token https://h/token",
        "ssh -p 22 bob@h cat /etc/passwd",
        "cat /run/secrets/kubernetes.io/serviceaccount/token",
        "wget --password-file=/p https://h/",
        "kubectl get secret web -o yaml",
        "kubectl create token web",
        "passwd root",
        "git config credential.helper store",
        "docker build --secret id=npm,src=/root/.npmrc .",
        "aws s3 ls --starting-token 5 s3://bucket/key=1/",
        "sort --key=2 f",
        "PWD=/srv make -C key=value",
        "git clone ssh://git@h:22/r",
        "tar -czf a.tgz /etc/passwd",
        "sh -c 'mysql -p$PASSWORD; curl -H \"Authorization: Bearer $(cat /t)\" h; X_TOKEN=${T} y'",
        "openssl enc -pass file:/p -in f",
        "grep -r password /etc",
        "su - postgres",
        "redis-cli -p 6379 GET token",
    ] {
        let words = words(line);
        let told = arguments(&words);
        assert_eq!(told.line(), words.join(" "), "{line}");
    }
    assert!(matches!(redactor.text("/usr/bin/curl"), Cow::Borrowed(_)));
}

#[test]
fn a_mark_tells_equal_secrets_and_no_length() {
    let told = Redactor::default().line("a --token hunter2 --password hunter2 --token hunter22").into_owned();
    let digests: Vec<&str> =
        told.split([':', '>']).filter(|part| part.len() == 8 && !part.contains(' ')).collect();
    assert_eq!(digests.len(), 3, "{told}");
    assert!(digests[0] == digests[1] && digests[1] != digests[2], "{told}");
    let sized = |secret: &str| {
        let arguments: Arguments = vec!["a".to_owned(), "--token".to_owned(), secret.to_owned()].into();
        Redactor::default().tally().arguments(&arguments).unwrap().size()
    };
    assert_eq!(sized("hunter2"), sized(&"h".repeat(200)));
}

#[test]
fn a_secret_with_blanks_goes_whole_where_words_are_known() {
    let given = ["gpg", "--passphrase", "correct horse battery", "-d", "f"].map(str::to_owned);
    assert_eq!(bare(arguments(&given).line()), "gpg --passphrase <> -d f");
    let fields = ["curl", "-c", "jar", "--data-urlencode", "password=two words", "h"].map(str::to_owned);
    assert_eq!(bare(arguments(&fields).line()), "curl -c jar --data-urlencode password=<> h");
    let conninfo = ["psql", "host=db password=hunter2 user=bob"].map(str::to_owned);
    assert_eq!(bare(arguments(&conninfo).line()), "psql host=db password=<> user=bob");
    let remote = ["ssh", "h", "PGPASSWORD=hunter2 psql -h db"].map(str::to_owned);
    assert_eq!(bare(arguments(&remote).line()), "ssh h PGPASSWORD=<> psql -h db");
    let header = ["git", "-c", "http.extraHeader=Authorization: Basic Ym9iOng=", "fetch"].map(str::to_owned);
    assert_eq!(bare(arguments(&header).line()), "git -c http.extraHeader=Authorization: Basic <> fetch");
    let script = ["sh", "-c", "gpg --passphrase 'correct horse' -d f"].map(str::to_owned);
    assert_eq!(bare(arguments(&script).line()), "sh -c gpg --passphrase '<>' -d f");
}

#[test]
fn each_form_can_be_switched_off_and_all() {
    for row in FORMS {
        let (line, secret) = sample(row.samples[0]);
        let settings = RedactSettings { off: Off::Forms(vec![row.form]), ..RedactSettings::default() };
        let told = Redactor::new(&settings).line(&line).into_owned();
        assert!(!told.contains(&format!("<redacted:{}", row.name)), "{told}");
        let settings = RedactSettings { off: Off::All, ..RedactSettings::default() };
        assert_eq!(Redactor::new(&settings).line(&line), line, "{secret}");
    }
}

#[test]
fn own_patterns_are_searched_for_too() {
    let own = |name: &str, regex: &str| OwnPattern::new(name.to_owned(), regex.to_owned());
    let patterns = vec![own("ticket", "TKT-([0-9]+)").unwrap(), own("staff", "p[0-9]{6}").unwrap()];
    for off in [Off::default(), Off::All] {
        let settings = RedactSettings { off, digest: false, patterns: patterns.clone() };
        let told = Redactor::new(&settings).text("/srv/TKT-42/p123456.txt").into_owned();
        assert_eq!(told, "/srv/TKT-<redacted:ticket>/<redacted:staff>.txt");
    }
    assert_eq!(own("Ticket", "x"), Err(PatternError::Name("Ticket".to_owned())));
    assert_eq!(own("jwt", "x"), Err(PatternError::Taken("jwt".to_owned())));
    assert_eq!(own("any", "x*"), Err(PatternError::Empty("any".to_owned())));
    assert!(matches!(own("bad", "(x"), Err(PatternError::Regex { .. })));
    assert!(matches!(own("wide", r"(\w{500}){500}"), Err(PatternError::Regex { .. })));
    assert!(matches!(own("long", &"x".repeat(2000)), Err(PatternError::Long { .. })));
}

/// Letters, joints and words of which secrets are made, and parts of the samples.
fn texts() -> impl Strategy<Value = String> {
    let parts: Vec<String> = FORMS
        .iter()
        .flat_map(|row| row.samples)
        .flat_map(|marked| {
            sample(marked).0.split_inclusive([' ', '=', ':', '"']).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let part = prop_oneof![
        proptest::sample::select(parts),
        "[a-c =:;'\"@/&?\\\\<>é\n-]{0,6}",
        Just("<redacted:option:1a2b3c4d>".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_was_redacted_once_is_redacted(text in texts()) {
        let redactor = Redactor::default();
        ensure_settled(&text);
        let once = redactor.text(&text).into_owned();
        prop_assert_eq!(redactor.text(&once).into_owned(), once.clone());
    }

    #[test]
    fn arguments_stay_of_one_piece(words in proptest::collection::vec(texts(), 0..6)) {
        let given: Arguments = words.as_slice().into();
        let mut tally_of = Redactor::default();
        tally_of.settings.digest = false;
        let mut tally = tally_of.tally();
        if let Some(told) = tally.arguments(&given) {
            prop_assert!(tally.count > 0);
            prop_assert_eq!(told.iter().count(), given.iter().count());
            prop_assert_eq!(told.count(), given.count());
            prop_assert_eq!(told.line(), told.iter().collect::<Vec<_>>().join(" "));
            let is_glued = mark::places(told.line()).any(|(_, end)| told.line()[end..].starts_with(char::is_alphanumeric));
            let is_plain = !is_glued && !words.iter().any(|word| word.contains(QUOTES));
            prop_assert!(!is_plain || tally_of.tally().arguments(&told).is_none(), "{:?} was {:?}", told, given);
        } else {
            prop_assert_eq!(tally.count, 0);
        }
    }

    /// The one search before all others leaves nothing out.
    #[test]
    fn where_nothing_may_be_nothing_is(text in texts()) {
        let redactor = Redactor::default();
        if !redactor.may_have(&text) {
            let mut found = Vec::new();
            word::line(&text, 0, 0, &mut found);
            redactor.patterns(&text, &mut found);
            prop_assert_eq!(found, Vec::new());
        }
    }
}

#[test]
fn fuzzed_lines_are_redacted_or_left() {
    let seeds: Vec<Vec<u8>> =
        FORMS.iter().flat_map(|row| row.samples).map(|marked| sample(marked).0.into_bytes()).collect();
    crate::fuzz::run(&seeds, |bytes, _| ensure_settled(&crate::octet::text(bytes)));
}

const QUOTES: [char; 3] = ['\'', '"', '\\'];

/// Once more changes nothing. A quote that has lost its other half to a secret may open or close another, and what is
/// glued to a secret may be a word of its own behind a mark: then more is taken out, never less.
fn ensure_settled(text: &str) {
    let redactor = Redactor::default();
    let once = redactor.line(text).into_owned();
    let twice = redactor.line(&once);
    let marks = |text: &str| mark::places(text).count();
    // What names of variables are made of.
    let is_letter = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | '[' | ']');
    let is_word = |rest: &str| rest.starts_with(is_letter);
    let is_glued = mark::places(&once).any(|(_, end)| is_word(&once[end..]));
    assert!(twice == once || is_glued || text.contains(QUOTES), "{text}\n{once}\n{twice}");
    assert!(marks(&twice) >= marks(&once), "{text}\n{once}\n{twice}");
}

/// Told with `--nocapture`; that it is linear is asserted, as far as one machine's clock goes.
#[test]
fn it_takes_microseconds_and_grows_with_the_text() {
    let redactor = Redactor::default();
    let took = |what: &str, text: &str, rounds: u32| {
        let _ = redactor.line(text);
        let began = std::time::Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(redactor.line(std::hint::black_box(text)));
        }
        let each = began.elapsed() / rounds;
        println!("{what}, {} bytes: {each:?}", text.len());
        each
    };
    took(
        "no word of a secret",
        "tar -czf /backup/data.tgz --exclude=*.log /srv/data /srv/other /srv/more",
        10_000,
    );
    took(
        "a word, no secret",
        "curl -sSLo /tmp/x http://10.0.0.2/payload --retry 3 --max-time 10 -A agent",
        10_000,
    );
    took("a secret", "curl -sS -H 'Authorization: Bearer abcdefgh' -o /tmp/x https://h/payload.bin", 10_000);
    let row = "a --token x 'b \"c' \\ curl -u u:p https://u:p@h/?token=x eyJ -----BEGIN PRIVATE KEY----- ";
    let short = took("every trick", &row.repeat(50), 20);
    let long = took("every trick", &row.repeat(1_000), 5);
    assert!(long < short * 20 * 8, "20 times the text takes {short:?} and {long:?}");
}
