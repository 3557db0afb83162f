//! Stands for the servers that the README posts to: it takes all, and remembers what was said where.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use flate2::read::MultiGzDecoder;

/// See the module. Its threads end with the test's process.
pub struct Servers {
    address: SocketAddr,
    requests: Receiver<(String, Vec<u8>)>,
}

impl Servers {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let (sender, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // However a connection ends: what was not answered is sent again.
                thread::spawn(move || drop(serve(stream, &sender)));
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Paths and bodies of the requests that came since this was last asked.
    pub fn requests(&self) -> Vec<(String, Vec<u8>)> {
        self.requests.try_iter().collect()
    }
}

fn serve(stream: TcpStream, sender: &Sender<(String, Vec<u8>)>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).expect("a path").to_owned();
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("its length is known");
        let mut packed = vec![0; length.parse().expect("a number")];
        reader.read_exact(&mut packed)?;
        let mut body = Vec::new();
        MultiGzDecoder::new(&packed[..]).read_to_end(&mut body)?;
        // The test may be over.
        let _ = sender.send((path, body));
        // What Elasticsearch says; others only look at the status.
        let said = "{\"errors\":false,\"items\":[]}";
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{said}", said.len())?;
    }
}
