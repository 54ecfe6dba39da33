//! Markers as they are written.

use crate::marker::{Marker, Operand, Operator, Variable};

/// Reads one marker from the front to the end.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a str,
    /// Of parentheses that are open; what somebody else wrote must not exhaust the stack.
    depth: usize,
}

const DEEPEST: usize = 64;

/// Longer ones first, where one begins another.
const OPERATORS: [(&str, Operator); 8] = [
    ("===", Operator::Arbitrary),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("~=", Operator::Compatible),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, depth: 0 }
    }

    /// All of the text; what is wrong with it, otherwise.
    pub(crate) fn marker(&mut self) -> Result<Marker, String> {
        let marker = self.any()?;
        match self.rest.trim_start() {
            "" => Ok(marker),
            rest => Err(format!("`{rest}` is left over")),
        }
    }

    fn any(&mut self) -> Result<Marker, String> {
        let first = self.all()?;
        let mut markers = vec![first];
        while self.takes_word("or") {
            markers.push(self.all()?);
        }
        Ok(joined(markers, Marker::Any))
    }

    fn all(&mut self) -> Result<Marker, String> {
        let first = self.one()?;
        let mut markers = vec![first];
        while self.takes_word("and") {
            markers.push(self.one()?);
        }
        Ok(joined(markers, Marker::All))
    }

    fn one(&mut self) -> Result<Marker, String> {
        if self.takes("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("it has too many parentheses".to_owned());
            }
            let marker = self.any()?;
            self.depth -= 1;
            return if self.takes(")") { Ok(marker) } else { Err("a parenthesis is not closed".to_owned()) };
        }
        let left = self.operand()?;
        let operator = self.operator()?;
        let right = self.operand()?;
        Ok(Marker::Compare { left, operator, right })
    }

    fn operator(&mut self) -> Result<Operator, String> {
        if let Some((_, operator)) = OPERATORS.iter().find(|(symbol, _)| self.takes(symbol)) {
            return Ok(*operator);
        }
        if self.takes_word("in") {
            return Ok(Operator::In);
        }
        if self.takes_word("not") && self.takes_word("in") {
            return Ok(Operator::NotIn);
        }
        Err(format!("an operator is missing before `{}`", self.rest.trim()))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        for quote in ["'", "\""] {
            if self.takes(quote) {
                let (text, rest) = self.rest.split_once(quote).ok_or("a quote is not closed")?;
                self.rest = rest;
                return Ok(Operand::Literal(text.to_owned()));
            }
        }
        let word = self.word();
        let variable = Variable::named(word).ok_or_else(|| format!("`{word}` is no variable"))?;
        self.rest = &self.rest.trim_start()[word.len()..];
        Ok(Operand::Variable(variable))
    }

    /// The word that comes next.
    fn word(&self) -> &'a str {
        let rest = self.rest.trim_start();
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
        rest.split(is_end).next().unwrap_or_default()
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.word() == word && self.takes(word)
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn joined(mut markers: Vec<Marker>, join: fn(Vec<Marker>) -> Marker) -> Marker {
    if markers.len() == 1 { markers.remove(0) } else { join(markers) }
}
