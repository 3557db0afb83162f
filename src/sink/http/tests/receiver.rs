//! A server that takes batches, and fails as it is told to: plain threads and sockets, so that it can do what no proper
//! server does.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use arc_swap::ArcSwap;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// What was posted.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// From 0.
    pub(super) number: usize,
    pub(super) head: String,
    /// Without compression.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Its lines that are no actions, as JSON.
    pub(super) fn records(&self) -> Vec<Value> {
        let lines = self.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let values = lines.map(|line| serde_json::from_slice(line).expect("each line is JSON"));
        values.filter(|value: &Value| value.get("create").is_none()).collect()
    }

    pub(super) fn messages(&self) -> Vec<String> {
        let text = |value: &Value| value["message"].as_str().expect("a message").to_owned();
        self.records().iter().map(text).collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// What it answers.
pub(super) enum Reply {
    /// Status, further headers and body.
    Answer(u16, String, String),
    /// The same after a while.
    After(Duration, Box<Reply>),
    /// Nothing, for as long as it lives.
    Silence,
    /// The connection ends, and the batch was not taken.
    Drop,
    /// The connection ends within the answer, and the batch was taken.
    Half,
}

impl Reply {
    pub(super) fn ok() -> Self {
        Self::status(200)
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), "said so".to_owned())
    }

    /// True if the batch counts as taken.
    fn takes(&self) -> bool {
        match self {
            Self::Answer(status, ..) => (200..300).contains(status),
            Self::After(_, reply) => reply.takes(),
            Self::Half => true,
            Self::Silence | Self::Drop => false,
        }
    }
}

struct State {
    script: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    taken: ArcSwap<Vec<Arc<Request>>>,
    requests: AtomicUsize,
    /// Requests whose connection ends within their body.
    cut: AtomicUsize,
    is_stopping: AtomicBool,
    tls: Option<Arc<rustls::ServerConfig>>,
}

pub(super) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(super) fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), None, script)
    }

    /// Listens on `address`, where one that was killed may have been before.
    pub(super) fn at(
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            taken: ArcSwap::default(),
            requests: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
            is_stopping: AtomicBool::new(false),
            tls,
        });
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || listen(&listener, &shared));
        Self { address, state, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.state.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Ends the connections of the next `count` requests within their bodies.
    pub(super) fn cut_next(&self, count: usize) {
        self.state.cut.store(count, Ordering::SeqCst);
    }

    /// All that was taken, in order.
    pub(super) fn taken(&self) -> Vec<Arc<Request>> {
        self.state.taken.load().to_vec()
    }

    pub(super) fn messages(&self) -> Vec<String> {
        self.taken().iter().flat_map(|request| request.messages()).collect()
    }

    /// How many records each request had.
    pub(super) fn batches(&self) -> Vec<usize> {
        self.taken().iter().map(|request| request.records().len()).collect()
    }

    /// Kills it: nobody listens any more, and open connections end. Returns what it took.
    pub(super) fn kill(mut self) -> Vec<Arc<Request>> {
        self.stop();
        self.taken()
    }

    fn stop(&mut self) {
        self.state.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the listener.
        _ = TcpStream::connect(self.address);
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(listener: &TcpListener, state: &Arc<State>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if state.is_stopping.load(Ordering::SeqCst) {
            break;
        }
        let (stream, state) = (stream.unwrap(), Arc::clone(state));
        threads.push(thread::spawn(move || _ = connection(stream, &state)));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn connection(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(10)))?;
    match &state.tls {
        None => serve(stream, state),
        Some(tls) => {
            let connection = rustls::ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
            serve(rustls::StreamOwned::new(connection, stream), state)
        }
    }
}

/// A stream that looks whether it is to end while it waits.
struct Patient<'s, S>(S, &'s State);

impl<S: Read> Read for Patient<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.1.is_stopping.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            match self.0.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                read => return read,
            }
        }
    }
}

fn serve<S: Read + Write>(stream: S, state: &State) -> io::Result<()> {
    let mut reader = BufReader::new(Patient(stream, state));
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let mut request = Request { number: state.requests.fetch_add(1, Ordering::SeqCst), head, body: Vec::new() };
        let length: usize = request.header("content-length").expect("its length is known").parse().unwrap();
        if state.cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            reader.read_exact(&mut vec![0; length / 2])?;
            return Ok(());
        }
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
        if request.header("content-encoding") == Some("gzip") {
            let packed = std::mem::take(&mut request.body);
            MultiGzDecoder::new(&packed[..]).read_to_end(&mut request.body)?;
        }
        let reply = (state.script)(&request);
        if reply.takes() {
            let request = Arc::new(request);
            state.taken.rcu(|taken| [&taken[..], &[Arc::clone(&request)]].concat());
        }
        if !answer(reply, &mut reader)? {
            return Ok(());
        }
    }
}

/// Answers; false where the connection ends by that.
fn answer<S: Read + Write>(reply: Reply, reader: &mut BufReader<Patient<'_, S>>) -> io::Result<bool> {
    let stream = &mut reader.get_mut().0;
    match reply {
        Reply::Answer(status, headers, body) => {
            let length = body.len();
            write!(stream, "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n{headers}\r\n{body}")?;
            stream.flush()?;
            Ok(true)
        }
        Reply::After(time, reply) => {
            thread::sleep(time);
            answer(*reply, reader)
        }
        Reply::Silence => reader.read(&mut [0]).map(|_| false),
        Reply::Drop => Ok(false),
        Reply::Half => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")?;
            stream.flush()?;
            Ok(false)
        }
    }
}
