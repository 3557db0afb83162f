//! Draws the graph of a pipeline as text, for people at a terminal.
//!
//! The text follows the records downwards. A node that hands everything to one other continues the line; one that
//! branches becomes a tree. A node with several parents is drawn below the first of them, and named below the others.

use std::fmt::Write as _;

use super::diagnostic::visible;
use crate::graph::{Edge, Graph, GraphSink, Port};

/// Characters of a node's settings that are shown.
const SETTINGS_SHOWN: usize = 60;

impl Graph {
    /// The graph as lines of text for a terminal; nothing in it can control one.
    #[must_use]
    pub fn text(&self) -> String {
        let mut drawing =
            Drawing { graph: self, drawn: vec![false; self.nodes.len()], usual: self.usual(), text: String::new() };
        if !self.nodes.is_empty() {
            drawing.node(0, "", "");
        }
        drawing.text
    }

    /// The name of an output.
    fn port(&self, node: usize, port: Port) -> &str {
        match port {
            Port::Output(output) => &self.nodes[node].outputs[output],
            Port::Failed => "failed",
        }
    }

    /// What most nodes do with records that fail; it is not worth a line at each of them.
    fn usual(&self) -> &str {
        let count = |word: &str| self.nodes.iter().filter(|node| node.on_error == word).count();
        ["drop", "dead_letter", "stop"].into_iter().rev().max_by_key(|word| count(word)).unwrap_or("drop")
    }
}

fn target(sink: &GraphSink) -> String {
    match sink.path.as_str() {
        "" => format!("{} ({})", sink.id, sink.kind),
        path => format!("{} ({} {path})", sink.id, sink.kind),
    }
}

/// A drawing in the making.
struct Drawing<'a> {
    graph: &'a Graph,
    drawn: Vec<bool>,
    usual: &'a str,
    text: String,
}

/// What hangs below a node.
enum Item {
    /// A node that has not been drawn yet.
    Node { label: String, to: usize },
    /// Anything else, on one line.
    Line(String),
}

impl Drawing<'_> {
    /// Draws `node` and all that hangs below it: `head` before its name, `indent` before the lines below.
    fn node(&mut self, node: usize, head: &str, indent: &str) {
        let (mut node, mut head) = (node, head.to_owned());
        loop {
            self.drawn[node] = true;
            _ = writeln!(self.text, "{head}{}", self.title(node));
            let items = self.items(node);
            let below = items.iter().filter(|item| matches!(item, Item::Node { .. })).count();
            if below != 1 {
                return self.tree(items, indent);
            }
            let Some((label, to)) = self.lines(items, indent) else { return };
            _ = writeln!(self.text, "{indent}│{}", label.trim_end());
            (node, head) = (to, indent.to_owned());
        }
    }

    /// Draws the one-line items, and returns the other one.
    fn lines(&mut self, items: Vec<Item>, indent: &str) -> Option<(String, usize)> {
        let mut below = None;
        for item in items {
            match item {
                Item::Line(line) => _ = writeln!(self.text, "{indent}├─{line}"),
                Item::Node { label, to } => below = Some((label, to)),
            }
        }
        below
    }

    fn tree(&mut self, items: Vec<Item>, indent: &str) {
        let count = items.len();
        for (index, item) in items.into_iter().enumerate() {
            let (branch, below) = if index + 1 == count { ("└─", "   ") } else { ("├─", "│  ") };
            match item {
                Item::Line(line) => _ = writeln!(self.text, "{indent}{branch}{line}"),
                // A sibling's subtree may have drawn it meanwhile.
                Item::Node { label, to } if self.drawn[to] => {
                    _ = writeln!(self.text, "{indent}{branch}{}", again(&label, self.id(to)));
                }
                Item::Node { label, to } => {
                    self.node(to, &format!("{indent}{branch}{label}→ "), &format!("{indent}{below}"));
                }
            }
        }
    }

    fn id(&self, node: usize) -> &str {
        &self.graph.nodes[node].id
    }

    fn title(&self, index: usize) -> String {
        let node = &self.graph.nodes[index];
        let mut title = format!("{}  {}", visible(&node.id), visible(&node.kind));
        if !node.config.is_empty() {
            let settings = visible(&node.config);
            let shown: String = settings.chars().take(SETTINGS_SHOWN).collect();
            let more = if shown.len() < settings.len() { "…" } else { "" };
            _ = write!(title, "  {shown}{more}");
        }
        let mut parents: Vec<&str> = self.edges_to(index).map(|edge| self.id(edge.from)).collect();
        parents.dedup();
        if parents.len() > 1 {
            _ = write!(title, "  (from {})", parents.join(", "));
        }
        title
    }

    fn edges_to(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.graph.edges.iter().filter(move |edge| edge.to == node)
    }

    /// All that hangs below a node: nodes in the order of its outputs, what becomes of the rest, sinks.
    fn items(&self, index: usize) -> Vec<Item> {
        let node = &self.graph.nodes[index];
        let mut items = self.below(index);
        for (output, reason) in node.dropped_as.iter().enumerate() {
            if let Some(reason) = reason {
                items.push(Item::Line(format!(" {} ✕ dropped as {}", node.outputs[output], visible(reason))));
            } else if !items.is_empty() && self.ends(index, output) {
                items.push(Item::Line(format!(" {} ends here", node.outputs[output])));
            }
        }
        for sink in self.graph.sinks.iter().filter(|sink| sink.from == index) {
            let label = sink.output.map_or_else(String::new, |output| self.label(index, &[Port::Output(output)]));
            items.push(Item::Line(format!("{label}⇒ sink {}", visible(&target(sink)))));
        }
        if node.on_error != self.usual && !self.graph.edges.iter().any(|edge| is_failure(edge, index)) {
            items.push(Item::Line(format!(" failed ! {}", visible(&node.on_error))));
        }
        items
    }

    /// True if nobody takes this output.
    fn ends(&self, node: usize, output: usize) -> bool {
        let is_led = self.graph.edges.iter().any(|edge| edge.from == node && edge.output == Port::Output(output));
        let takes = |sink: &GraphSink| sink.from == node && sink.output.is_none_or(|taken| taken == output);
        !is_led && !self.graph.sinks.iter().any(takes)
    }

    /// The nodes below a node, each once, with the outputs that lead there.
    fn below(&self, node: usize) -> Vec<Item> {
        let mut below: Vec<(usize, Vec<Port>)> = Vec::new();
        for edge in self.graph.edges.iter().filter(|edge| edge.from == node) {
            match below.iter_mut().find(|(to, _)| *to == edge.to) {
                Some((_, ports)) => ports.push(edge.output),
                None => below.push((edge.to, vec![edge.output])),
            }
        }
        let items = below.into_iter().map(|(to, ports)| {
            let label = self.label(node, &ports);
            if self.drawn[to] { Item::Line(again(&label, self.id(to))) } else { Item::Node { label, to } }
        });
        items.collect()
    }

    /// The names of some outputs between blanks; nothing where they are all that there are.
    fn label(&self, node: usize, ports: &[Port]) -> String {
        let outputs = self.graph.nodes[node].outputs.len();
        if ports.len() == outputs && !ports.contains(&Port::Failed) {
            return String::new();
        }
        let names: Vec<&str> = ports.iter().map(|port| self.graph.port(node, *port)).collect();
        format!(" {} ", names.join(", "))
    }
}

fn is_failure(edge: &Edge, node: usize) -> bool {
    edge.from == node && edge.output == Port::Failed
}

/// A node that stands elsewhere in the drawing.
fn again(label: &str, id: &str) -> String {
    format!("{label}→ {} (drawn above)", visible(id))
}

#[cfg(test)]
mod tests;
