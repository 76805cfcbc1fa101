//! Reads words as options, their values and operands, by a tool's own table.
//!
//! What getopt(3), getopt_long(3), popt and their like do, without their errors: a value that is missing is
//! none, an option that the table does not have takes no value unless it is written behind `=`.

use std::slice::Iter;

/// How a tool reads its options.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Letters that take a value, attached or as the next word.
    pub short: &'static str,
    /// Names behind two dashes; `name=` takes a value. Of abbreviations that fit several the first is taken: what
    /// tools had first stands first.
    pub long: &'static [&'static str],
    pub style: Style,
}

/// What differs between readers of options.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four habits that a tool has or has not")]
pub struct Style {
    /// Options may stand behind operands, as GNU's getopt(3) has it.
    pub permutes: bool,
    /// A long option may be shortened.
    pub abbreviates: bool,
    /// A short option's value may stand behind `=` (popt).
    pub equals: bool,
    /// Long options begin with one dash; letters do not cluster (openssl).
    pub single_dash: bool,
}

/// getopt_long(3) of glibc.
pub const GNU: Style = Style { permutes: true, abbreviates: true, equals: false, single_dash: false };
/// Options anywhere, long ones in full: programs in Go, Python's Click, BusyBox without long options.
pub const EXACT: Style = Style { permutes: true, abbreviates: false, equals: false, single_dash: false };
/// getopt(3) of BSD: the first operand ends the options.
pub const BSD: Style = Style { permutes: false, abbreviates: false, equals: false, single_dash: false };
/// popt(3).
pub const POPT: Style = Style { permutes: true, abbreviates: false, equals: true, single_dash: false };
/// apps/lib/opt.c of OpenSSL.
pub const OPENSSL: Style = Style { permutes: false, abbreviates: false, equals: false, single_dash: true };

/// kubectl 1.34 and oc: `kubectl options`, and what takes a value of `kubectl cp`, `get`, `delete`, `port-forward` and `run`.
pub const KUBECTL: Options = Options {
    short: "csnvlfo",
    long: &[
        "container=",
        "namespace=",
        "context=",
        "cluster=",
        "user=",
        "kubeconfig=",
        "server=",
        "token=",
        "as=",
        "as-group=",
        "as-uid=",
        "cache-dir=",
        "certificate-authority=",
        "client-certificate=",
        "client-key=",
        "request-timeout=",
        "tls-server-name=",
        "username=",
        "password=",
        "profile=",
        "profile-output=",
        "loglevel=",
        "retries=",
        "selector=",
        "field-selector=",
        "filename=",
        "output=",
        "grace-period=",
        "address=",
        "image=",
    ],
    style: EXACT,
};

/// One thing that words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// By its letter or its whole name, without dashes; and its value.
    Option(&'a str, Option<&'a str>),
    Operand(&'a str),
}

/// Goes through words.
#[derive(Clone, Debug)]
pub struct Walker<'a> {
    options: &'a Options,
    words: Iter<'a, String>,
    /// What is left of a cluster of short options.
    cluster: &'a str,
    /// Only operands follow.
    is_over: bool,
}

impl Options {
    /// Reads the words behind a program's name.
    #[must_use]
    pub fn walk<'a>(&'a self, words: &'a [String]) -> Walker<'a> {
        Walker { options: self, words: words.iter(), cluster: "", is_over: false }
    }

    /// The name a long option has in the table, and whether it takes a value.
    fn long<'a>(&'a self, written: &'a str) -> (&'a str, bool) {
        let mut prefixed = None;
        for entry in self.long {
            let name = entry.strip_suffix('=').unwrap_or(entry);
            let takes = name.len() != entry.len();
            if name == written {
                return (name, takes);
            }
            if self.style.abbreviates && prefixed.is_none() && name.starts_with(written) {
                prefixed = Some((name, takes));
            }
        }
        prefixed.unwrap_or((written, false))
    }
}

impl<'a> Walker<'a> {
    /// The words that are not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [String] {
        self.words.as_slice()
    }

    fn value(&mut self) -> Option<&'a str> {
        self.words.next().map(String::as_str)
    }

    fn long(&mut self, word: &'a str) -> Word<'a> {
        let (written, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let (name, takes) = self.options.long(written);
        let value = if attached.is_none() && takes { self.value() } else { attached };
        Word::Option(name, value)
    }

    /// The first letter of a cluster.
    fn short(&mut self, cluster: &'a str) -> Word<'a> {
        let letter = cluster.chars().next().map_or(0, char::len_utf8);
        let (name, rest) = cluster.split_at_checked(letter).unwrap_or((cluster, ""));
        if !self.options.short.contains(name) {
            self.cluster = rest;
            return Word::Option(name, None);
        }
        let attached = rest.strip_prefix('=').filter(|_| self.options.style.equals).unwrap_or(rest);
        let value = if rest.is_empty() { self.value() } else { Some(attached) };
        Word::Option(name, value)
    }
}

impl<'a> Iterator for Walker<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        if !self.cluster.is_empty() {
            let cluster = std::mem::take(&mut self.cluster);
            return Some(self.short(cluster));
        }
        let mut word = self.value()?;
        if word == "--" && !self.is_over {
            self.is_over = true;
            word = self.value()?;
        }
        let Some(option) = word.strip_prefix('-').filter(|option| !self.is_over && !option.is_empty()) else {
            self.is_over |= !self.options.style.permutes;
            return Some(Word::Operand(word));
        };
        Some(match option.strip_prefix('-') {
            Some(long) => self.long(long),
            None if self.options.style.single_dash => self.long(option),
            None => self.short(option),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: &[&str] = &["output=", "output-dir=", "silent", "data=", "data-binary="];

    fn read(style: Style, line: &str) -> Vec<String> {
        let options = Options { short: "oT", long: LONG, style };
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let told = |word| match word {
            Word::Option(name, None) => format!("-{name}"),
            Word::Option(name, Some(value)) => format!("-{name}:{value}"),
            Word::Operand(operand) => operand.to_owned(),
        };
        options.walk(&words).map(told).collect()
    }

    #[test]
    fn options_are_read_as_the_tool_does() {
        for (style, line, expected) in [
            (GNU, "-sSo f u", &["-s", "-S", "-o:f", "u"][..]),
            (GNU, "-of u", &["-o:f", "u"]),
            (GNU, "-o -s u", &["-o:-s", "u"]),
            (GNU, "--output=f u --output g", &["-output:f", "u", "-output:g"]),
            (GNU, "--outp f --sil --dat x", &["-output:f", "-silent", "-data:x"]),
            (GNU, "u -- -o f", &["u", "-o", "f"]),
            (GNU, "- -o", &["-", "-o"]),
            (GNU, "--new=1 --newer 2", &["-new:1", "-newer", "2"]),
            (EXACT, "--outp f", &["-outp", "f"]),
            (BSD, "-s u -o f", &["-s", "u", "-o", "f"]),
            (POPT, "-o=f u", &["-o:f", "u"]),
            (GNU, "-o=f", &["-o:=f"]),
            (OPENSSL, "-output f -silent --silent u -s", &["-output:f", "-silent", "-silent", "u", "-s"]),
            (GNU, "-é", &["-é"]),
        ] {
            assert_eq!(read(style, line), expected, "{line}");
        }
    }

    proptest! {
        /// Every word is read, none twice, and nothing panics.
        #[test]
        fn any_words_are_read(
            words in prop::collection::vec("(-{0,3}[a-zé=-]{0,4}|\\PC{0,8})", 0..24),
            single_dash: bool,
            permutes: bool,
        ) {
            let style = Style { permutes, single_dash, ..GNU };
            let options = Options { short: "oTé", long: LONG, style };
            let mut walker = options.walk(&words);
            let bound = words.iter().map(|word| word.len() + 1).sum::<usize>();
            prop_assert!(walker.by_ref().count() <= bound);
            prop_assert!(walker.rest().is_empty());
        }
    }
}
