//! Pipelines as drawings of a graph, of which a naive look says whether they are valid.

use arbitrary::Arbitrary;

use crate::Bounded;

/// Processors, the first of which is the entry.
#[derive(Debug, Clone, Arbitrary)]
pub struct Drawing {
    nodes: [Node; 5],
    count: Bounded<1, 5>,
}

/// A processor of kind `level`, which has three outputs, or `pass`, which has one.
#[derive(Debug, Clone, Arbitrary)]
struct Node {
    /// Mostly its own number.
    name: Bounded<0, 40>,
    is_level: bool,
    to: To,
    on_error: Option<Target>,
}

/// The name of a processor: any up to [`NOBODY`], or, mostly, one that comes soon behind the one that names it. Else
/// hardly a drawing would be valid.
type Target = Bounded<0, 30>;
/// The name that no processor has.
const NOBODY: usize = 5;

#[derive(Debug, Clone, Arbitrary)]
enum To {
    Absent,
    One(Target),
    Two(Target, Target),
    /// `error` and `other` of a `level`.
    Outputs(Target, Target),
}

/// A node with all names as numbers.
struct Named {
    name: usize,
    is_level: bool,
    to: NamedTo,
    on_error: Option<usize>,
}

enum NamedTo {
    Absent,
    Same(Vec<usize>),
    Outputs(usize, usize),
}

impl Node {
    /// It as node `number` of `count`.
    fn named(&self, number: usize, count: usize) -> Named {
        let target = |target: &Target| match target.0 {
            any @ ..=NOBODY => any,
            soon => (number + 1 + soon % 2).min(count - 1),
        };
        let to = match &self.to {
            To::Absent => NamedTo::Absent,
            To::One(name) => NamedTo::Same(vec![target(name)]),
            To::Two(first, second) => NamedTo::Same(vec![target(first), target(second)]),
            To::Outputs(first, second) => NamedTo::Outputs(target(first), target(second)),
        };
        let name = if self.name.0 < NOBODY { self.name.0 } else { number };
        Named { name, is_level: self.is_level, to, on_error: self.on_error.as_ref().map(target) }
    }
}

impl Named {
    fn targets(&self) -> Vec<usize> {
        match &self.to {
            NamedTo::Absent => Vec::new(),
            NamedTo::Same(names) => names.clone(),
            NamedTo::Outputs(first, second) => vec![*first, *second],
        }
    }

    fn to_toml(&self) -> String {
        let kind = if self.is_level { "level" } else { "pass" };
        let to = match &self.to {
            NamedTo::Absent => String::new(),
            NamedTo::Same(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("'n{name}'")).collect();
                format!("to = [{}]\n", names.join(", "))
            }
            NamedTo::Outputs(first, second) => format!("to = {{ error = 'n{first}', other = 'n{second}' }}\n"),
        };
        let on_error = self.on_error.map_or_else(String::new, |name| format!("on_error = 'n{name}'\n"));
        format!("[[processor]]\nid = 'n{}'\nkind = '{kind}'\n{to}{on_error}\n", self.name)
    }
}

impl Drawing {
    fn nodes(&self) -> Vec<Named> {
        let count = self.count.0;
        self.nodes[..count].iter().enumerate().map(|(number, node)| node.named(number, count)).collect()
    }

    /// It as a configuration.
    pub fn to_toml(&self) -> String {
        self.nodes().iter().map(Named::to_toml).collect()
    }

    /// Whether that is valid: names are unique and known, every node is reached, and no walk comes round.
    pub fn is_valid(&self) -> bool {
        let nodes = self.nodes();
        let find = |name: usize| nodes.iter().position(|node| node.name == name);
        let is_unique = nodes.iter().enumerate().all(|(number, node)| find(node.name) == Some(number));
        let is_known = |node: &Named| node.targets().into_iter().chain(node.on_error).all(|name| find(name).is_some());
        let is_sound = |node: &Named| match &node.to {
            NamedTo::Same(names) => names.len() < 2 || names[0] != names[1],
            NamedTo::Outputs(..) => node.is_level,
            NamedTo::Absent => true,
        };
        is_unique && nodes.iter().all(|node| is_known(node) && is_sound(node)) && is_walkable(&nodes)
    }
}

/// Whether every walk from the entry ends, and together they come everywhere.
fn is_walkable(nodes: &[Named]) -> bool {
    let is_sequence = nodes.iter().all(|node| matches!(node.to, NamedTo::Absent));
    let next = |number: usize| {
        let names = nodes[number].targets().into_iter().chain(nodes[number].on_error);
        let mut next: Vec<usize> = names.filter_map(|name| nodes.iter().position(|node| node.name == name)).collect();
        if is_sequence && number + 1 < nodes.len() {
            next.push(number + 1);
        }
        next
    };
    let mut is_reached = vec![false; nodes.len()];
    let mut walks = vec![vec![0]];
    while let Some(walk) = walks.pop() {
        // One that is longer than there are nodes has come round.
        if walk.len() > nodes.len() {
            return false;
        }
        let last = walk[walk.len() - 1];
        is_reached[last] = true;
        walks.extend(next(last).into_iter().map(|node| [&walk[..], &[node]].concat()));
    }
    is_reached.iter().all(|&reached| reached)
}
