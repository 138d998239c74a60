//! HTTP/1.1 at the least cost: one connection kept alive, requests as bytes that are ready, answers in one buffer.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// An answer later than this is none.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a port of this machine.
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    head: usize,
}

/// How the end of an answer is found.
enum Body {
    /// At this place of the buffer.
    Ends(usize),
    /// The next chunk begins there.
    Chunk(usize),
}

impl Http {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, buffer: vec![0; 65_536], filled: 0, head: 0 }
    }

    /// Sends a request, reads the whole answer and tells its status.
    pub fn exchange(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).unwrap();
        (self.filled, self.head) = (0, 0);
        let mut body = loop {
            self.read();
            if let Some(end) = self.buffer[..self.filled].windows(4).position(|window| window == b"\r\n\r\n") {
                self.head = end + 4;
                break self.body_after_head();
            }
        };
        loop {
            match body {
                Body::Ends(end) if end <= self.filled => return self.status(),
                Body::Chunk(start) => match self.chunk_at(start) {
                    Some((0, behind)) => body = Body::Ends(behind),
                    Some((_, behind)) => body = Body::Chunk(behind),
                    None => self.read(),
                },
                Body::Ends(_) => self.read(),
            }
        }
    }

    /// The body of the last answer.
    pub fn body(&self) -> Vec<u8> {
        let Body::Chunk(mut start) = self.body_after_head() else {
            return self.buffer[self.head..self.filled].to_vec();
        };
        let mut body = Vec::new();
        while let Some((length, behind)) = self.chunk_at(start).filter(|(length, _)| *length > 0) {
            body.extend_from_slice(&self.buffer[behind - 2 - length..behind - 2]);
            start = behind;
        }
        body
    }

    /// A header of the last answer, by its name in any case; the first of several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.buffer[..self.head]).unwrap();
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn read(&mut self) {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.filled..]).unwrap();
        assert!(read > 0, "the connection ended within an answer: {}", self.text());
        self.filled += read;
    }

    fn status(&self) -> u16 {
        std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap()
    }

    fn body_after_head(&self) -> Body {
        match (self.header("content-length"), self.header("transfer-encoding")) {
            (Some(length), _) => Body::Ends(self.head + length.parse::<usize>().unwrap()),
            (None, Some(_)) => Body::Chunk(self.head),
            (None, None) => Body::Ends(self.head),
        }
    }

    /// The length of the chunk at a place, and the place behind it; `None` until all of it is there.
    fn chunk_at(&self, start: usize) -> Option<(usize, usize)> {
        let rest = &self.buffer[start..self.filled];
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let digits = std::str::from_utf8(&rest[..line]).unwrap();
        let length = usize::from_str_radix(digits.split(';').next().unwrap().trim(), 16).unwrap();
        let behind = start + line + 2 + length + 2;
        (behind <= self.filled).then_some((length, behind))
    }

    /// The last answer, to be shown when it is not what it should be.
    /// Whether the answer has these words in it.
    pub fn says(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.buffer[..self.filled]).contains(words)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.filled.min(2_000)]).into_owned()
    }
}
