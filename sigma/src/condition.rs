//! The condition of a rule: how its search identifiers combine.
//!
//! Binding, loosest first: `or`, `and`, `not`, `1 of x*`, parentheses (rules specification,
//! "Condition"). The old `| count()` belongs to correlations now and is refused.

use super::expression::Expression;
use super::suggestion::{did_you_mean, nearest};

/// Deepest nesting of parentheses and `not`. All public rules load under it; running a condition
/// recurses as deep.
const DEPTH_MAX: usize = 32;
/// Most questions one rule may ask of a record, counting each mention. All public rules load under
/// this bound; without one a small file could unfold to gigabytes.
pub(super) const QUESTIONS_MAX: usize = 50_000;
/// Words that cannot name a search identifier.
const WORDS: [&str; 3] = ["and", "or", "not"];

/// What is wrong with a condition and where, in bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// A search identifier and what it asks.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) name: String,
    pub(super) expression: Expression,
}

/// Reads `text` and puts the selections in the place of their names.
///
/// Names of the selections that were used are added to `used`, by position.
pub(super) fn parse(text: &str, selections: &[Selection], used: &mut [bool]) -> Result<Expression, Refusal> {
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, depth: 0, questions: 0, selections, used };
    let expression = parser.alternatives()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(refuse(token, unexpected(token.text), join_help(token.text))),
    }
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    offset: usize,
    text: &'a str,
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, Refusal> {
    let mut tokens = Vec::new();
    let mut word: Option<usize> = None;
    let close = |word: &mut Option<usize>, end: usize, tokens: &mut Vec<_>| {
        if let Some(offset) = word.take() {
            tokens.push(Token { offset, text: text.get(offset..end).unwrap_or_default() });
        }
    };
    for (offset, character) in text.char_indices() {
        match character {
            ' ' | '\t' | '\n' | '\r' => close(&mut word, offset, &mut tokens),
            '(' | ')' => {
                close(&mut word, offset, &mut tokens);
                tokens.push(Token { offset, text: text.get(offset..=offset).unwrap_or_default() });
            }
            '|' => {
                return Err(Refusal {
                    offset,
                    len: 1,
                    message: "aggregations in a condition are not part of Sigma 2".to_owned(),
                    help: Some("write a correlation rule".to_owned()),
                });
            }
            _ if character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '*') => {
                word.get_or_insert(offset);
            }
            _ => {
                return Err(Refusal {
                    offset,
                    len: character.len_utf8(),
                    message: format!("`{}` has no meaning in a condition", character.escape_debug()),
                    help: None,
                });
            }
        }
    }
    close(&mut word, text.len(), &mut tokens);
    Ok(tokens)
}

struct Parser<'a, 's> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    /// Tests in what was read so far.
    questions: usize,
    selections: &'s [Selection],
    used: &'s mut [bool],
}

impl<'a> Parser<'a, '_> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.text == word);
        self.at += usize::from(found);
        found
    }

    fn refuse_end(&self) -> Refusal {
        let help = Some("a search identifier must follow".to_owned());
        let message =
            if self.tokens.is_empty() { "the condition is empty" } else { "the condition ends too early" };
        Refusal { offset: self.text.trim_end().len(), len: 0, message: message.to_owned(), help }
    }

    fn alternatives(&mut self) -> Result<Expression, Refusal> {
        let mut parts = vec![self.conjunction()?];
        while self.take_word("or") {
            parts.push(self.conjunction()?);
        }
        Ok(Expression::any_of(parts))
    }

    fn conjunction(&mut self) -> Result<Expression, Refusal> {
        let mut parts = vec![self.negation()?];
        while self.take_word("and") {
            parts.push(self.negation()?);
        }
        Ok(Expression::all_of(parts))
    }

    fn negation(&mut self) -> Result<Expression, Refusal> {
        let Some(token) = self.next() else { return Err(self.refuse_end()) };
        if token.text != "not" && token.text != "(" {
            return self.operand(token);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(refuse(token, format!("the condition nests deeper than {DEPTH_MAX} levels"), None));
        }
        let expression = if token.text == "not" {
            Expression::Not(Box::new(self.negation()?))
        } else {
            let inner = self.alternatives()?;
            match self.next() {
                Some(Token { text: ")", .. }) => inner,
                Some(other) => return Err(refuse(other, unexpected(other.text), join_help(other.text))),
                None => return Err(refuse(token, "this parenthesis is never closed", None)),
            }
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn operand(&mut self, token: Token<'a>) -> Result<Expression, Refusal> {
        if self.peek().is_some_and(|next| next.text == "of") {
            self.at += 1;
            return self.quantified(token);
        }
        if token.text == ")" || WORDS.contains(&token.text) {
            return Err(refuse(
                token,
                unexpected(token.text),
                Some("a search identifier must stand here".into()),
            ));
        }
        let Some(position) = self.selections.iter().position(|selection| selection.name == token.text) else {
            return Err(self.unknown(token));
        };
        self.take_selection(token, position)
    }

    fn unknown(&self, token: Token<'_>) -> Refusal {
        let lower = token.text.to_lowercase();
        let help = if WORDS.contains(&lower.as_str()) {
            Some(format!("write `{lower}` in lower case"))
        } else if token.text.contains('*') {
            Some(format!("write `1 of {0}` or `all of {0}`", token.text))
        } else {
            did_you_mean(token.text, self.names())
        };
        refuse(token, format!("there is no search identifier `{}`", token.text), help)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.selections.iter().map(|selection| selection.name.as_str())
    }

    fn take_selection(&mut self, token: Token<'_>, position: usize) -> Result<Expression, Refusal> {
        if let Some(used) = self.used.get_mut(position) {
            *used = true;
        }
        // `position` comes from the same list; an empty "or" is false.
        let taken = self.selections.get(position);
        let expression = taken.map_or(Expression::Or(Vec::new()), |selection| selection.expression.clone());
        expression.for_each_test(&mut |_| self.questions += 1);
        if self.questions > QUESTIONS_MAX {
            let message = format!("with this the condition asks more than {QUESTIONS_MAX} questions");
            return Err(refuse(token, message, Some("name each search identifier once".into())));
        }
        Ok(expression)
    }

    /// `1 of x*`, `all of them`, `3 of x*`; `any` is `1`.
    fn quantified(&mut self, quantifier: Token<'a>) -> Result<Expression, Refusal> {
        let least = match quantifier.text {
            "all" => None,
            "any" => Some(1),
            number => match number.parse::<usize>() {
                Ok(least) if least > 0 => Some(least),
                _ => {
                    let help = Some("write `1 of`, `all of` or another number from 1".to_owned());
                    return Err(refuse(quantifier, format!("`{number} of` counts nothing"), help));
                }
            },
        };
        let Some(target) = self.next() else { return Err(self.refuse_end()) };
        let chosen: Vec<usize> = (0..)
            .zip(self.selections)
            .filter(|(_, Selection { name, .. })| match target.text {
                // Names that start with an underscore are left out by convention, unless the pattern does, too.
                "them" => !name.starts_with('_'),
                pattern => {
                    (pattern.starts_with('_') || !name.starts_with('_')) && name_matches(pattern, name)
                }
            })
            .map(|(position, _)| position)
            .collect();
        if chosen.is_empty() {
            let help =
                nearest(target.text.trim_matches('*'), self.names()).map(|name| format!("there is `{name}`"));
            return Err(refuse(target, format!("no search identifier matches `{}`", target.text), help));
        }
        if let Some(least) = least.filter(|least| *least > chosen.len()) {
            let message = format!("`{least} of` can never hold: `{}` names {}", target.text, chosen.len());
            return Err(refuse(quantifier, message, None));
        }
        let parts = chosen.into_iter().map(|position| self.take_selection(target, position));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        Ok(match least {
            None => Expression::all_of(parts),
            Some(1) => Expression::any_of(parts),
            Some(least) => Expression::AtLeast(least, parts),
        })
    }
}

fn refuse(token: Token<'_>, message: impl Into<String>, help: Option<String>) -> Refusal {
    Refusal { offset: token.offset, len: token.text.len(), message: message.into(), help }
}

fn unexpected(word: &str) -> String {
    format!("`{word}` is not expected here")
}

fn join_help(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    if WORDS.contains(&lower.as_str()) && lower != word {
        return Some(format!("write `{lower}` in lower case"));
    }
    (word != ")").then(|| "join search identifiers with `and` or `or`".to_owned())
}

/// `*` stands for any characters, anywhere in the pattern.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match name.split_once(part) {
            Some((_, behind)) => name = behind,
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::{Selection, name_matches, parse};
    use crate::expression::Expression;
    use crate::predicate::TestId;

    fn read(text: &str) -> Result<String, String> {
        let names = ["selection_a", "selection_b", "filter", "_hidden"];
        let selections: Vec<Selection> = (0..)
            .zip(names)
            .map(|(id, name)| Selection { name: name.into(), expression: Expression::Test(TestId(id)) })
            .collect();
        parse(text, &selections, &mut [false; 4])
            .map(|expression| show(&expression))
            .map_err(|refusal| format!("{}+{}: {}", refusal.offset, refusal.len, refusal.message))
    }

    fn show(expression: &Expression) -> String {
        let group = |parts: &[Expression], word: &str| {
            format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(word))
        };
        match expression {
            Expression::Test(id) => ["a", "b", "f", "h"][id.0].to_owned(),
            Expression::Not(inner) => format!("!{}", show(inner)),
            Expression::And(parts) => group(parts, "&"),
            Expression::Or(parts) => group(parts, "|"),
            Expression::AtLeast(least, parts) => format!("{least}{}", group(parts, ",")),
        }
    }

    #[test]
    fn binding_follows_the_specification() {
        for (text, expected) in [
            ("selection_a", "a"),
            ("selection_a or selection_b and not filter", "(a|(b&!f))"),
            ("(selection_a or selection_b) and not filter", "((a|b)&!f)"),
            ("not not filter", "!!f"),
            ("not 1 of selection_*", "!(a|b)"),
            ("all of selection* and not filter", "((a&b)&!f)"),
            ("1 of them", "(a|b|f)"),
            ("any of them", "(a|b|f)"),
            ("2 of them", "2(a,b,f)"),
            ("all of *", "(a&b&f)"),
            ("all of _*", "h"),
            ("1 of *_a or _hidden", "(a|h)"),
            ("selection_a\n  and selection_b", "(a&b)"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_refused_at_their_place() {
        for (text, place) in [
            ("", "0+0"),
            ("selection_a and", "15+0"),
            ("selection_a selection_b", "12+11"),
            ("selection_a AND filter", "12+3"),
            ("(selection_a", "0+1"),
            ("selection_a)", "11+1"),
            ("selektion", "0+9"),
            ("1 of nothing*", "5+8"),
            ("3 of selection*", "0+1"),
            ("0 of them", "0+1"),
            ("selection_a | count() > 5", "12+1"),
            ("selection_*", "0+11"),
            ("a & b", "2+1"),
            ("1 of", "4+0"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.starts_with(&format!("{place}:")), "{text}: {refusal}");
        }
        assert!(read(&"(".repeat(1000)).is_err());
        assert!(read(&"not ".repeat(1000)).is_err());
    }

    #[test]
    fn name_patterns_take_stars_anywhere() {
        assert!(name_matches("selection_*", "selection_x"));
        assert!(name_matches("*_x", "selection_x"));
        assert!(name_matches("s*c*n", "selection"));
        assert!(!name_matches("s*cc*n", "selection"));
        assert!(!name_matches("ab*ba", "aba"));
        assert!(name_matches("*", ""));
    }
}
