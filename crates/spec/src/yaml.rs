//! YAML text to a document: events, anchors, merge keys, tags.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::node::{Content, Key, Node, Scalar, insert};
use crate::yaml_scalar::resolve;
use crate::{Position, PyValue, SpecError};

/// Deeper documents are refused, so that no input can exhaust the stack.
const MAX_DEPTH: usize = 64;
/// Documents with more values, counting those that aliases repeat, are refused.
const MAX_NODES: usize = 20_000;

/// Reads the only document of `text`; nothing when there is none.
pub(crate) fn document(text: &str) -> Result<Option<Node>, SpecError> {
    let mut reader = Reader { text, events: Parser::new_from_str(text), anchors: BTreeMap::new(), nodes: 0 };
    let mut root = None;
    while let Some(event) = reader.events.next_event() {
        let (event, span) = event.map_err(|error| scan_error(text, &error))?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            _ if root.is_some() => return Err(syntax("there is more than one document in it", span)),
            event => root = Some(reader.node(event, span, 0)?.node),
        }
    }
    Ok(root)
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

/// A node, and whether it is the plain `<<` that merges when it is a key.
struct Read {
    node: Node,
    merges: bool,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SpecError> {
        match self.events.next_event() {
            Some(event) => event.map_err(|error| scan_error(self.text, &error)),
            None => Err(SpecError::Syntax {
                file: None,
                format: "YAML",
                position: None,
                message: "it ends too early".to_owned(),
            }),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Read, SpecError> {
        self.count(1, span)?;
        if depth > MAX_DEPTH {
            return Err(syntax("it is nested too deeply", span));
        }
        let mut merges = false;
        let (anchor, content) = match event {
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(syntax("an alias refers to what it is part of", span));
                };
                self.count(size(&node), span)?;
                return Ok(Read { node, merges });
            }
            Event::Scalar(text, style, anchor, tag) => {
                merges = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
                let text = self.without_added_newline(&text, style, span);
                (anchor, Content::Scalar(scalar(text, style, tag.as_deref(), span)?))
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span)?;
                (anchor, Content::Sequence(self.sequence(depth)?))
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", span)?;
                (anchor, Content::Mapping(self.mapping(depth)?))
            }
            _ => return Err(syntax("a value is missing", span)),
        };
        let node = Node { position: Some(position(span)), content };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(Read { node, merges })
    }

    /// A block scalar that ends where the text ends, without a newline, has none in PyYAML's reading.
    fn without_added_newline<'t>(&self, value: &'t str, style: ScalarStyle, span: Span) -> &'t str {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let last_line = self.text.rsplit('\n').next().unwrap_or_default();
        let is_content = last_line.chars().count() > span.start.col();
        if is_block && is_content && span.end.index() == self.text.chars().count() {
            value.strip_suffix('\n').unwrap_or(value)
        } else {
            value
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, SpecError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, span, depth + 1)?.node);
        }
    }

    /// The entries, merged ones first: what the mapping says itself replaces what it merges, in the merged place.
    fn mapping(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, SpecError> {
        let mut entries = Vec::new();
        let mut own = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?.node;
            if key.merges {
                merge(&mut entries, value, value_span)?;
                continue;
            }
            let Content::Scalar(scalar) = key.node.content else {
                return Err(syntax("a key must be a text", span));
            };
            let key = Key { position: key.node.position, scalar };
            if let Some(key) = insert(&mut own, key, value) {
                return Err(syntax(&format!("the key `{}` is there twice", key.scalar.text), span));
            }
        }
        for (key, value) in own {
            insert(&mut entries, key, value);
        }
        Ok(entries)
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), SpecError> {
        self.nodes += more;
        if self.nodes > MAX_NODES { Err(syntax("it has too many values", span)) } else { Ok(()) }
    }
}

/// Adds the entries of one mapping, or of a list of mappings of which the first wins.
fn merge(entries: &mut Vec<(Key, Node)>, value: Node, span: Span) -> Result<(), SpecError> {
    let sources = match value.content {
        Content::Sequence(items) => items.into_iter().rev().map(|item| item.content).collect(),
        content => vec![content],
    };
    for source in sources {
        let Content::Mapping(merged) = source else {
            return Err(syntax("`<<` merges a mapping or a list of mappings", span));
        };
        for (key, value) in merged {
            insert(entries, key, value);
        }
    }
    Ok(())
}

fn size(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(_) => 0,
        Content::Sequence(items) => items.iter().map(size).sum(),
        Content::Mapping(entries) => entries.iter().map(|(_, value)| 1 + size(value)).sum(),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Scalar, SpecError> {
    let kind = tag.map(|tag| (tag.is_yaml_core_schema(), tag.suffix.as_str()));
    let plain = || {
        resolve(text).map_err(|source| SpecError::Scalar {
            file: None,
            position: Some(position(span)),
            text: text.to_owned(),
            source,
        })
    };
    let value = match kind {
        None if style == ScalarStyle::Plain => plain()?,
        // PyYAML reads what has the tag `!` as if it were plain, even in quotes.
        Some((true, "int" | "float" | "bool" | "null" | "timestamp") | (false, "!" | "")) => plain()?,
        None | Some((true, "str")) => PyValue::str(text),
        Some(_) => return Err(syntax("this tag is not supported", span)),
    };
    Ok(Scalar { text: text.to_owned(), value })
}

fn check_tag(tag: Option<&Tag>, name: &str, span: Span) -> Result<(), SpecError> {
    let known = tag.is_none_or(|tag| tag.is_yaml_core_schema() && tag.suffix == name);
    if known { Ok(()) } else { Err(syntax("this tag is not supported", span)) }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

fn syntax(message: &str, span: Span) -> SpecError {
    SpecError::Syntax {
        file: None,
        format: "YAML",
        position: Some(position(span)),
        message: message.to_owned(),
    }
}

fn scan_error(text: &str, error: &ScanError) -> SpecError {
    let marker = error.marker();
    if let Some(position) = tab(text, error) {
        return SpecError::Tab { file: None, position };
    }
    SpecError::Syntax {
        file: None,
        format: "YAML",
        position: Some(Position { line: marker.line(), column: marker.col() + 1 }),
        message: error.info().to_owned(),
    }
}

/// The tab in an indentation that the parser stumbled over, if that is what happened. It marks where the value began
/// that the tab is in the way of, and of some tabs it says something else.
fn tab(text: &str, error: &ScanError) -> Option<Position> {
    let (info, first) = (error.info(), error.marker().line());
    let is_said = info.contains("tab");
    // Between brackets a tab is as good as a space.
    if !is_said && info.contains("flow") {
        return None;
    }
    let lines = text.lines().enumerate().skip(first.saturating_sub(1));
    let (index, line) = lines.take(if is_said { usize::MAX } else { 1 }).find(|(_, line)| {
        let content = line.trim_start_matches([' ', '\t']);
        line[..line.len() - content.len()].contains('\t') && !content.is_empty()
    })?;
    Some(Position { line: index + 1, column: line.find('\t')? + 1 })
}
