//! A server that takes batches of numbered lines, and fails as it is told to: plain threads and sockets.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use flate2::read::MultiGzDecoder;
use memchr::memmem;

/// What stands before the number in each line.
pub const MARKER: &str = "INFO line ";
/// Digits of a number.
pub const DIGITS: usize = 9;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// It is taken.
    Takes,
    /// It is taken after a while.
    Slow,
    /// 503.
    Unavailable,
    /// Nobody reads it, and nobody answers.
    Silent,
    /// 400, this once; then they are taken.
    BadOnce,
}

impl Mood {
    const ALL: [Self; 5] = [Self::Takes, Self::Slow, Self::Unavailable, Self::Silent, Self::BadOnce];
}

/// What was received, by all that listened one after the other.
pub struct Received {
    mood: AtomicU8,
    /// How often each number came, up to 255 times.
    times: Vec<AtomicU8>,
    /// How many different numbers came.
    pub numbers: AtomicU64,
    /// How many lines came, as often as they came.
    pub lines: AtomicU64,
    /// Lines that were refused by a 400.
    pub refused: AtomicU64,
    /// Requests that were not taken.
    pub disturbed: AtomicU64,
    /// Requests that were compressed.
    pub compressed: AtomicU64,
}

impl Received {
    /// Nothing yet, and room for numbers below `most`.
    pub fn up_to(most: usize) -> Arc<Self> {
        let number = || AtomicU64::new(0);
        Arc::new(Self {
            mood: AtomicU8::new(Mood::Takes as u8),
            times: (0..most).map(|_| AtomicU8::new(0)).collect(),
            numbers: number(),
            lines: number(),
            refused: number(),
            disturbed: number(),
            compressed: number(),
        })
    }

    pub fn mood(&self) -> Mood {
        Mood::ALL[usize::from(self.mood.load(Ordering::SeqCst))]
    }

    pub fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    pub fn numbers(&self) -> u64 {
        self.numbers.load(Ordering::SeqCst)
    }

    /// The first of the numbers below `end` that never came.
    pub fn missing(&self, end: u64) -> Option<usize> {
        self.times[..end as usize].iter().position(|times| times.load(Ordering::SeqCst) == 0)
    }

    fn enter(&self, body: &[u8]) {
        let mut fresh = 0;
        let mut lines = 0;
        for number in numbers_in(body) {
            lines += 1;
            fresh += u64::from(self.times[number].fetch_add(1, Ordering::SeqCst) == 0);
        }
        self.lines.fetch_add(lines, Ordering::SeqCst);
        self.numbers.fetch_add(fresh, Ordering::SeqCst);
    }
}

/// The numbers of all lines in `body`.
pub fn numbers_in(body: &[u8]) -> impl Iterator<Item = usize> {
    memmem::find_iter(body, MARKER).map(|start| {
        let digits = &body[start + MARKER.len()..][..DIGITS];
        digits.iter().fold(0, |number, digit| 10 * number + usize::from(digit - b'0'))
    })
}

/// One that listens.
pub struct Receiver {
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Listens on `address`, where one may have been before.
    pub fn at(address: SocketAddr, received: &Arc<Received>) -> Self {
        let listener = TcpListener::bind(address).expect("an address of ours");
        let address = listener.local_addr().expect("it listens");
        let (is_over, received) = (Arc::new(AtomicBool::new(false)), Arc::clone(received));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || listen(&listener, &received, &stop));
        Self { address, is_over, thread: Some(thread) }
    }

    pub fn start(received: &Arc<Received>) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), received)
    }
}

impl Drop for Receiver {
    /// Kills it: nobody listens any more, and connections end.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        self.thread.take().into_iter().for_each(|thread| thread.join().expect("the receiver ends"));
    }
}

fn listen(listener: &TcpListener, received: &Arc<Received>, is_over: &Arc<AtomicBool>) {
    let mut connections = Vec::new();
    for stream in listener.incoming() {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let (stream, received, is_over) = (stream.expect("a connection"), Arc::clone(received), Arc::clone(is_over));
        // However it ends: whoever has sent something sends it again.
        connections.push(thread::spawn(move || drop(serve(stream, &received, &is_over))));
    }
    connections.into_iter().for_each(|connection| connection.join().expect("a connection ends"));
}

/// A stream that ends when it is over, and from which nothing comes while nobody reads it.
struct Patient<'s>(TcpStream, &'s Received, &'s AtomicBool);

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.2.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if self.1.mood() == Mood::Silent {
                thread::sleep(Duration::from_millis(10));
                continue;
            }
            match self.0.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                read => return read,
            }
        }
    }
}

fn serve(stream: TcpStream, received: &Received, is_over: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(10)))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 20, Patient(stream, received, is_over));
    while let Some(body) = request(&mut reader, received)? {
        let mood = received.mood();
        let status = match mood {
            Mood::Takes | Mood::Slow => 200,
            Mood::Unavailable | Mood::Silent => 503,
            Mood::BadOnce => 400,
        };
        match mood {
            Mood::Takes => {}
            Mood::Slow => thread::sleep(Duration::from_secs(1)),
            Mood::Unavailable | Mood::Silent => drop(received.disturbed.fetch_add(1, Ordering::SeqCst)),
            Mood::BadOnce => {
                received.set(Mood::Takes);
                received.refused.fetch_add(numbers_in(&body).count() as u64, Ordering::SeqCst);
            }
        }
        if status == 200 {
            received.enter(&body);
        }
        // At once: the pieces of an answer would wait for each other, as long as the other side waits with its confirmation.
        let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        reader.get_mut().0.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// The body of the next request; none where the connection has ended.
fn request(reader: &mut BufReader<Patient<'_>>, received: &Received) -> io::Result<Option<Vec<u8>>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("its length is known");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body)?;
    if head.contains("content-encoding: gzip") {
        received.compressed.fetch_add(1, Ordering::SeqCst);
        let packed = std::mem::take(&mut body);
        MultiGzDecoder::new(&packed[..]).read_to_end(&mut body)?;
    }
    Ok(Some(body))
}
