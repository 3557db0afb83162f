//! Charts, as they look, without numbers; with numbers they are looked at where they are served.

use super::*;
use crate::{Pipeline, Registry};

const BRANCHING: &str = r#"
[[processor]]
id = "start"
kind = "match"
any = "x"
to = "end"
on_error = "end"

[[processor]]
id = "end"
kind = "pass"

[[sink]]
id = "out"
from = "end.out"
kind = "file"
path = 'a"b<c>|#.log'
"#;

fn graph() -> Graph {
    let pipeline = Pipeline::from_toml(BRANCHING, "test.toml", &Registry::standard()).expect("it is valid");
    pipeline.graph().as_ref().clone()
}

#[test]
fn mermaid_escapes_what_has_a_meaning_there() {
    let expected = r#"flowchart LR
  n0["start<br/>match"]
  n1["end<br/>pass"]
  n0 -->|"match"| n1
  n0 -.->|"failed"| n1
  n1 --> s0[("out<br/>a#34;b#60;c#62;#124;#35;.log")]
  n0 -->|"rest"| d0(["dropped: no_match"])
"#;
    assert_eq!(graph().mermaid(), expected);
}

#[test]
fn dot_escapes_quotes() {
    let expected = r#"digraph logweir {
  rankdir=LR;
  node [shape=box];
  n0 [label="start\nmatch"];
  n1 [label="end\npass"];
  n0 -> n1 [label="match", style=solid];
  n0 -> n1 [label="failed", style=dashed];
  s0 [label="out\na\"b<c>|#.log", shape=cylinder];
  n1 -> s0;
  d0 [label="dropped: no_match", shape=oval];
  n0 -> d0 [label="rest"];
}
"#;
    assert_eq!(graph().dot(), expected);
}

#[test]
fn numbers_stand_beside_what_they_went_through() {
    let outputs = vec![vec![4, 5], vec![4]];
    let counts = Counts { nodes: vec![10, 5], outputs, failed: vec![1, 0], sinks: vec![4] };
    let expected = r#"flowchart LR
  n0["start<br/>10 lines"]
  n1["end<br/>5 lines"]
  n0 -->|"match: 4"| n1
  n0 -.->|"failed: 1"| n1
  n1 --> s0[("out<br/>4 lines")]
  n0 -->|"rest: 5"| d0(["dropped: no_match"])
"#;
    assert_eq!(graph().mermaid_with(&counts), expected);
}
