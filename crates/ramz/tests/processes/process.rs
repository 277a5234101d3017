//! One `ramz` process: started, waited for, ended. What it says on standard error goes to a file.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// The binary under test.
pub(crate) const RAMZ: &str = env!("CARGO_BIN_EXE_ramz");
/// Between two looks at a process that is to end.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Ports are taken from here on, below those that the system gives to clients.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A process that runs. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Where its standard error goes.
    pub(crate) errors: PathBuf,
}

/// What a command that came to its end has said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Process {
    /// Starts `ramz` with these arguments; standard error is appended to a file.
    pub(crate) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, errors: &Path) -> Process {
        let log = File::options().create(true).append(true).open(errors).unwrap();
        let mut child = Command::new(RAMZ)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // Ends with the process, or with the test.
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Process { child, lines, errors: errors.to_owned() }
    }

    /// The next line on standard output, such as the one that says that it is ready.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("says nothing; on standard error:\n{}", self.said()),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("ended with {:?}; on standard error:\n{}", self.child.wait(), self.said())
            }
        }
    }

    /// Lines on standard output that nobody has read yet.
    pub(crate) fn more_lines(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// What it has said on standard error so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// The lines among it that are no mere information.
    pub(crate) fn complaints(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().filter(|line| !line.contains("\"level\":\"INFO\"")).collect();
        lines.join("\n")
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// SIGKILL: it ends where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, `TERM` or the like.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGTERM, and how it ended, and after how long.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        self.signal("TERM");
        (self.ends(), asked.elapsed())
    }

    /// Waits for its end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        ended(&mut self.child).unwrap_or_else(|| panic!("does not end:\n{}", self.said()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `ramz` to its end.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: &str) -> Said {
    let mut child = Command::new(RAMZ)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    // Whatever a command says fits into the pipes' buffers.
    let status = ended(&mut child);
    if status.is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let status = status.unwrap_or_else(|| panic!("does not end:\n{out}\n{err}"));
    Said { code: status.code(), out, err }
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(LOOK_EVERY);
    }
    None
}

/// The first of `count` consecutive ports that are free now. No two callers in this process get the same ones.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test programs that run beside this one begin elsewhere.
    let room = PORTS.end - PORTS.start;
    let begin = std::process::id() % u32::from(room) * 499;
    for _ in 0..room {
        // The same round for every count: at its end some ports are left out, and none is given twice.
        let at = (NEXT.fetch_add(count.into(), Ordering::SeqCst) + begin) % u32::from(room);
        let first = PORTS.start + u16::try_from(at).unwrap();
        if first + count > PORTS.end {
            continue;
        }
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + count).all(free) {
            return first;
        }
    }
    panic!("no {count} free ports");
}
