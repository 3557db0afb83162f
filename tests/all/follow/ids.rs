//! What Elasticsearch tells lines apart by: the same line delivered again has the same id, and no other line has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_queue::SegQueue;
use serde_json::Value;

use super::{
    append,
    disturbed::{Strace, all_written},
    finish, wait_until,
};
use crate::program::{Program, ended, file, folder, follow};

/// Stands in for Elasticsearch, as long as the tests run.
struct Index {
    address: SocketAddr,
    /// Id and message of all that came.
    documents: Arc<SegQueue<(String, String)>>,
    count: Arc<AtomicU64>,
}

impl Index {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has one");
        let index = Self { address, documents: Arc::default(), count: Arc::default() };
        let (documents, count) = (Arc::clone(&index.documents), Arc::clone(&index.count));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (documents, count) = (Arc::clone(&documents), Arc::clone(&count));
                thread::spawn(move || drop(serve(stream.expect("a connection"), &documents, &count)));
            }
        });
        index
    }

    /// A pipeline that writes every line to it, and to `out` if there is one.
    fn config(&self, folder: &Path, out: Option<&Path>) -> PathBuf {
        let copy = out.map_or_else(String::new, |out| {
            format!("[[sink]]\nid = 'copy'\nfrom = 'all'\nkind = 'file'\npath = '{}'\n", out.display())
        });
        let text = format!(
            "[[processor]]\nid = 'all'\nkind = 'pass'\n\n[[sink]]\nid = 'post'\nfrom = 'all'\nkind = 'http'\nurl = \
             'http://{}/'\nformat = 'elasticsearch'\nindex = 'logs'\ngzip = false\n\n{copy}",
            self.address
        );
        file(folder, "index.toml", text)
    }

    #[track_caller]
    fn wait_for(&self, count: u64) {
        wait_until(|| self.count() >= count, || format!("{} of {count} lines", self.count()));
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// The ids of each message that came since this was asked for.
    fn ids(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut ids = BTreeMap::<String, BTreeSet<String>>::new();
        while let Some((id, message)) = self.documents.pop() {
            ids.entry(message).or_default().insert(id);
        }
        ids
    }
}

fn serve(stream: TcpStream, documents: &SegQueue<(String, String)>, count: &AtomicU64) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("its length is known");
        let mut body = vec![0; length.parse().expect("a number")];
        reader.read_exact(&mut body)?;
        let lines: Vec<Value> = serde_json::Deserializer::from_slice(&body).into_iter().map(Result::unwrap).collect();
        for pair in lines.chunks(2) {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            documents.push((text(&pair[0]["create"]["_id"]), text(&pair[1]["message"])));
            count.fetch_add(1, Ordering::SeqCst);
        }
        let answer = r#"{"errors":false,"items":[]}"#;
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len())?;
    }
}

/// Two pipes may carry the same bytes, and nobody can tell one from the other but by the process that read them.
#[test]
fn lines_of_two_pipes_are_different_lines() {
    let (folder, index) = (folder(), Index::start());
    let config = index.config(folder.path(), None);
    let mut all = BTreeSet::new();
    for run in 1..=2 {
        let mut command: Command = follow();
        command.args(["--no-state", "--report", "none", "-c"]).arg(&config).arg("-").stdin(Stdio::piped());
        let mut program = Program::start(&mut command);
        let mut pipe = program.child.stdin.take().expect("piped");
        pipe.write_all(b"INFO a\nINFO a\n").expect("it reads");
        drop(pipe);
        assert_eq!(program.end().code(), Some(0));
        let ids = index.ids().remove("INFO a").expect("it came");
        assert_eq!(ids.len(), 2, "two lines that are alike");
        all.extend(ids);
        assert_eq!(all.len(), 2 * run, "{all:?}");
    }
}

#[test]
fn a_line_of_a_pipe_that_is_delivered_again_is_the_same_line() {
    let (folder, index) = (folder(), Index::start());
    let Some(strace) = Strace::new(folder.path(), "a sync that fails, and ids of a pipe") else { return };
    let out = folder.path().join("out");
    let config = index.config(folder.path(), Some(&out));
    let mut command = follow();
    command.args(["--no-state", "--report", "none", "-c"]).arg(&config).arg("-");
    let mut command = strace.command(&command, "fdatasync:error=EIO:when=2", Some(&out));
    let mut program = Program::start(command.stdin(Stdio::piped()));
    let mut pipe = program.child.stdin.take().expect("piped");
    let mut all = String::new();
    let mut lines = 0;
    while strace.injected() == 0 && lines < 3_000 {
        let line = format!("INFO line {lines}\n");
        pipe.write_all(line.as_bytes()).expect("it reads");
        all += &line;
        lines += 1;
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(strace.injected(), 1, "it did not happen");
    Strace::release(&program);
    wait_until(|| all_written(&out) == all, || all_written(&out));
    drop(pipe);
    let ended = program.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(index.count() > lines, "nothing was delivered again");
    let ids = index.ids();
    assert_eq!(ids.len() as u64, lines);
    assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
}

/// The same line at the same place of another file, which stands where the first one stood; and once more when that was
/// truncated.
#[test]
fn lines_of_another_file_under_the_same_name_are_other_lines() {
    let (folder, index) = (folder(), Index::start());
    let config = index.config(folder.path(), None);
    let log = file(folder.path(), "app.log", "INFO a\n");
    let state = folder.path().join("state");
    let mut command = follow();
    command.args(["--from", "start", "--report", "none", "--state"]).arg(state).arg("-c").arg(&config).arg(&log);
    let program = Program::start(&mut command);
    index.wait_for(1);
    fs::rename(&log, folder.path().join("app.log.1")).expect("our own file");
    append(&log, "INFO a\n");
    index.wait_for(2);
    finish(program);
    fs::remove_file(folder.path().join("app.log.1")).expect("our own file");
    fs::write(&log, "").expect("our own file");
    let again = Program::start(&mut command);
    // What it has read of it is no more.
    thread::sleep(Duration::from_millis(1_500));
    append(&log, "INFO a\n");
    index.wait_for(3);
    finish(again);
    let last = ended(command.arg("--until-eof"));
    assert_eq!(last.code(), Some(0), "{last:?}");
    assert_eq!((index.count(), index.ids()["INFO a"].len()), (3, 3));
}
