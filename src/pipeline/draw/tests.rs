//! The drawings, as they look (`drawings.txt`).

use crate::{
    Graph,
    pipeline::{Pipeline, golden::check},
};

#[test]
fn drawings_look_as_written_down() {
    check("draw/drawings.txt", |pipeline| {
        let pipeline = pipeline.unwrap_or_else(|error| panic!("{}", error.render(false)));
        pipeline.graph().text()
    });
}

#[test]
fn the_default_pipeline_is_a_small_tree() {
    let expected = "start  level\n├─ error → error  pass\n├─ warn → warn  pass\n└─ other → general  pass\n";
    assert_eq!(Pipeline::default_pipeline().graph().text(), expected);
}

#[test]
fn an_empty_graph_is_an_empty_drawing() {
    assert_eq!(Graph::default().text(), "");
}
