//! A PostgreSQL server of the test's own: in a folder of its own, on a port of its own, on loopback, with `fsync` on. It ends with
//! the test, also if the test is killed. Debian's package is what `./check` installs; nothing of a server that the machine may
//! run is touched.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Whom the servers run as if the test is root, which PostgreSQL refuses to be: the package's user.
const USER: &str = "postgres";
/// What its folders are called.
const PREFIX: &str = "ramz-pg-";
/// A server that does not answer by then has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Stopped when dropped.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// A new server with an empty database `ramz`.
    pub(crate) fn start() -> Server {
        Server::start_with(&[])
    }

    /// The same with settings, as `name=value`.
    pub(crate) fn start_with(settings: &[&str]) -> Server {
        let folder = own_folder();
        let data = folder.path().join("data");
        let mut made = tool(
            "initdb",
            &["-D", path(&data), "-U", "ramz", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        );
        said(made.stdout(Stdio::null()), "initdb");
        let server = Server::run(folder, settings);
        server.sql("postgres", "CREATE DATABASE ramz");
        server
    }

    /// A standby of this server, streaming from it under this name. It must have been started with `max_wal_senders` (the default).
    pub(crate) fn standby(&self, name: &str) -> Server {
        let folder = own_folder();
        let data = folder.path().join("data");
        let from = format!("host=127.0.0.1 port={} user=ramz application_name={name}", self.port);
        said(
            &mut tool("pg_basebackup", &["-D", path(&data), "-d", &from, "-R", "-X", "stream", "-c", "fast"]),
            "pg_basebackup",
        );
        Server::run(folder, &[])
    }

    fn run(folder: TempDir, settings: &[&str]) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = launch(folder.path(), port, settings);
        let server = Server { folder, port, child };
        server.wait();
        server
    }

    /// Starts it again after [`Server::kill`], on the same port.
    pub(crate) fn again(&mut self) {
        self.child = launch(self.folder.path(), self.port, &[]);
        self.wait();
    }

    /// `kill -9`, the postmaster and with it its processes.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // Its processes end as soon as they notice; a second server in the folder would wait for them.
        let _ = fs::remove_file(self.folder.path().join("data/postmaster.pid"));
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote(true, 20)");
    }

    /// The address of its database `ramz`, with further settings as `&name=value`.
    pub(crate) fn url(&self, more: &str) -> String {
        format!("postgresql://ramz@127.0.0.1:{}/ramz?sslmode=disable{more}", self.port)
    }

    /// The address of a schema of its own in that database, empty.
    pub(crate) fn schema(&self, name: &str) -> String {
        self.sql("ramz", &format!("CREATE SCHEMA {name}"));
        self.url(&format!("&options=-csearch_path%3D{name}"))
    }

    /// What `psql` answers, without decoration.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap()
    }

    /// The same, or what it complained about.
    pub(crate) fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let arguments =
            ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", "ramz"];
        let output = Command::new(programs().join("psql"))
            .args(arguments)
            .args(["-d", database, "-c", sql])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Processor time that the sessions which are open now have used so far, in nanoseconds.
    pub(crate) fn sessions_ns(&self) -> u64 {
        let postmaster = self.child.id().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes.filter_map(|entry| session_ns(&entry.path(), &postmaster)).sum()
    }

    fn wait(&self) {
        let began = Instant::now();
        while let Err(why) = self.try_sql("postgres", "SELECT 1") {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "the server does not answer: {why}\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT: at once, and its processes with it.
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Processor time of a process that is a session of this server: proc(5), and the first number of `schedstat`.
fn session_ns(process: &Path, postmaster: &str) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
    let name = fs::read_to_string(process.join("cmdline")).ok()?;
    if parent != postmaster || !name.starts_with("postgres: ramz ") {
        return None;
    }
    fs::read_to_string(process.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
}

/// Starts a server from a thread that does not end before the test's process: the system ends the server with its parent *thread*.
fn launch(folder: &Path, port: u16, settings: &[&str]) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let (data, port) = (folder.join("data"), port.to_string());
    let arguments = ["-D", path(&data), "-p", &port, "-k", path(folder), "-c", "listen_addresses=127.0.0.1"];
    let mut server = tool("postgres", &arguments);
    server.args(settings.iter().flat_map(|setting| ["-c", setting]));
    server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let (sender, child) = channel();
    thread::spawn(move || {
        sender.send(server.spawn()).unwrap();
        loop {
            thread::park();
        }
    });
    child.recv().unwrap().unwrap()
}

/// One of PostgreSQL's programs, as a user that it accepts, and ended with us.
fn tool(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    }
    command.arg(programs().join(program)).args(arguments);
    command
}

/// Where Debian has the newest release's programs.
fn programs() -> PathBuf {
    let releases = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        releases.filter_map(|release| release.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    let newest = numbers.last().expect("no PostgreSQL on this machine: sudo apt-get install -y postgresql");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

fn own_folder() -> TempDir {
    forget_the_dead();
    // Short: a socket's path must fit into 107 bytes.
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in("/tmp").unwrap();
    if rustix::process::geteuid().is_root() {
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let user = users.lines().find(|line| line.starts_with(&format!("{USER}:"))).unwrap();
        let number = |at: usize| user.split(':').nth(at).unwrap().parse().ok();
        chown(folder.path(), number(2), number(3)).unwrap();
    }
    folder
}

/// Removes what servers that live as long as a test's process, and killed tests, have left behind: nobody drops their folders.
fn forget_the_dead() {
    for entry in fs::read_dir("/tmp").unwrap().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let age = entry.metadata().ok().and_then(|data| data.modified().ok()?.elapsed().ok());
        let pid = fs::read_to_string(entry.path().join("data/postmaster.pid")).unwrap_or_default();
        let runs = pid.lines().next().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if is_ours && !runs && age > Some(Duration::from_secs(3600)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn said(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

fn path(of: &Path) -> &str {
    of.to_str().unwrap()
}
