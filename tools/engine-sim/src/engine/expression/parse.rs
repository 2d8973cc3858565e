//! The grammar: sums of products of aggregates, numbers and parentheses.

use crate::engine::data::Table;

use super::{Expression, Function, Incalculable, Sign};

/// Nobody writes deeper by hand, and the stack is not for strangers to fill.
const DEEPEST: u8 = 40;

pub(super) fn expression(text: &str, table: &Table) -> Result<Expression, Incalculable> {
    let text = text.trim();
    let mut parser = Parser {
        rest: text.strip_prefix('=').unwrap_or(text),
        table,
        depth: 0,
    };
    let parsed = parser.sum()?;
    parser.skip_space();
    if parser.rest.is_empty() {
        Ok(parsed)
    } else {
        Err(Incalculable)
    }
}

struct Parser<'a> {
    rest: &'a str,
    table: &'a Table,
    depth: u8,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Expression, Incalculable> {
        self.depth = self
            .depth
            .checked_add(1)
            .filter(|at| *at < DEEPEST)
            .ok_or(Incalculable)?;
        let mut left = self.product()?;
        while let Some(sign) = self.sign(&[('+', Sign::Plus), ('-', Sign::Minus)]) {
            left = operation(sign, left, self.product()?);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, Incalculable> {
        let mut left = self.factor()?;
        while let Some(sign) = self.sign(&[('*', Sign::Times), ('/', Sign::Over)]) {
            left = operation(sign, left, self.factor()?);
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Expression, Incalculable> {
        self.skip_space();
        let first = self.rest.chars().next().ok_or(Incalculable)?;
        match first {
            '(' => {
                self.expect('(')?;
                let inner = self.sum()?;
                self.expect(')')?;
                Ok(inner)
            }
            '-' => {
                self.expect('-')?;
                let number = self.primary()?;
                Ok(operation(Sign::Minus, Expression::Number(0.0), number))
            }
            _ => self.primary(),
        }
    }

    fn primary(&mut self) -> Result<Expression, Incalculable> {
        self.skip_space();
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (text, rest) = rest.split_once('\'').ok_or(Incalculable)?;
            self.rest = rest;
            return Ok(Expression::Text(text.to_owned()));
        }
        let word = self.word();
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            return word
                .parse()
                .map(Expression::Number)
                .map_err(|_| Incalculable);
        }
        let function = function(word).ok_or(Incalculable)?;
        self.expect('(')?;
        let (distinct, name) = self.argument()?;
        self.expect(')')?;
        let field = self.table.find(name).ok_or(Incalculable)?;
        Ok(Expression::Aggregate {
            function,
            distinct,
            field,
        })
    }

    /// A field's name, perhaps after `distinct`.
    fn argument(&mut self) -> Result<(bool, &'a str), Incalculable> {
        let name = self.name()?;
        self.skip_space();
        if name.eq_ignore_ascii_case("distinct") && !self.rest.starts_with(')') {
            return Ok((true, self.name()?));
        }
        Ok((false, name))
    }

    fn name(&mut self) -> Result<&'a str, Incalculable> {
        self.skip_space();
        let close = match self.rest.chars().next() {
            Some('[') => ']',
            Some('"') => '"',
            _ => {
                let word = self.word();
                return if word.is_empty() {
                    Err(Incalculable)
                } else {
                    Ok(word)
                };
            }
        };
        let (name, rest) = self.rest[1..].split_once(close).ok_or(Incalculable)?;
        self.rest = rest;
        Ok(name)
    }

    fn word(&mut self) -> &'a str {
        let is_part = |part: char| part.is_alphanumeric() || part == '_' || part == '.';
        let end = self
            .rest
            .find(|part: char| !is_part(part))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn sign(&mut self, signs: &[(char, Sign)]) -> Option<Sign> {
        self.skip_space();
        let (mark, sign) = signs
            .iter()
            .find(|(mark, _)| self.rest.starts_with(*mark))?;
        self.rest = &self.rest[mark.len_utf8()..];
        Some(*sign)
    }

    fn expect(&mut self, mark: char) -> Result<(), Incalculable> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(mark).ok_or(Incalculable)?;
        Ok(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

fn operation(sign: Sign, left: Expression, right: Expression) -> Expression {
    Expression::Operation {
        sign,
        left: Box::new(left),
        right: Box::new(right),
    }
}

fn function(name: &str) -> Option<Function> {
    match name.to_ascii_lowercase().as_str() {
        "sum" => Some(Function::Sum),
        "count" => Some(Function::Count),
        "avg" => Some(Function::Avg),
        "min" => Some(Function::Min),
        "max" => Some(Function::Max),
        _ => None,
    }
}
