//! Real servers that say how they read a request: WSGI servers, nginx, Tomcat. See `tests/peers/readings.*`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::gateway::free;
use crate::peer;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Wsgiref,
    Gunicorn,
    Waitress,
    Tomcat,
}

/// A server that runs for as long as this is kept.
#[derive(Debug)]
pub struct Reader {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// Where Debian puts Tomcat.
const CATALINA_HOME: &str = "/usr/share/tomcat10";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

impl Reader {
    /// Runs it until it listens.
    pub fn start(kind: Kind) -> Reader {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free();
        let mut command = match kind {
            Kind::Nginx => nginx(folder.path(), address),
            Kind::Wsgiref => python("wsgiref", address),
            Kind::Gunicorn => python("gunicorn", address),
            Kind::Waitress => python("waitress", address),
            Kind::Tomcat => tomcat(folder.path(), address),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn();
        let mut reader = Reader {
            child: child.unwrap_or_else(|error| panic!("{kind:?} does not start: {error}")),
            address,
            _folder: folder,
        };
        let end = Instant::now() + STARTS_WITHIN;
        while std::net::TcpStream::connect(address).is_err() {
            let ended = reader.child.try_wait().expect("the child is ours");
            assert_eq!(ended, None, "{kind:?} ended");
            assert!(Instant::now() < end, "{kind:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        reader
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn python(server: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(peer::python());
    command.arg(peer::script("readings.py"));
    command.args([server, &address.port().to_string()]);
    command
}

fn nginx(folder: &Path, address: SocketAddr) -> Command {
    let template = fs::read_to_string(peer::script("readings.nginx.conf")).expect("the template");
    let text = filled(&template, folder, address);
    let file = folder.join("nginx.conf");
    fs::write(&file, text).expect("the folder is ours");
    // Debian has it where only root looks.
    let found = ["/usr/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let mut command = Command::new(found.unwrap_or("nginx"));
    command.arg("-p").arg(folder).arg("-c").arg(file);
    command
}

fn tomcat(folder: &Path, address: SocketAddr) -> Command {
    let ours = peer::script("tomcat");
    for part in ["conf", "webapps/ROOT/WEB-INF", "temp", "work", "logs"] {
        fs::create_dir_all(folder.join(part)).expect("the folder is ours");
    }
    let server = fs::read_to_string(ours.join("conf/server.xml")).expect("the template");
    let copied = [
        ("/etc/tomcat10/web.xml".into(), "conf/web.xml"),
        (ours.join("WEB-INF/web.xml"), "webapps/ROOT/WEB-INF/web.xml"),
        (
            ours.join("WEB-INF/admin.jsp"),
            "webapps/ROOT/WEB-INF/admin.jsp",
        ),
        (ours.join("WEB-INF/all.jsp"), "webapps/ROOT/WEB-INF/all.jsp"),
    ];
    for (from, to) in copied {
        fs::copy(&from, folder.join(to)).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    }
    let text = filled(&server, folder, address);
    fs::write(folder.join("conf/server.xml"), text).expect("the folder is ours");
    let mut command = Command::new("java");
    command
        .arg(format!("-Dcatalina.home={CATALINA_HOME}"))
        .arg(format!("-Dcatalina.base={}", folder.display()))
        .arg(format!(
            "-Djava.io.tmpdir={}",
            folder.join("temp").display()
        ))
        .arg("-cp")
        .arg(format!(
            "{CATALINA_HOME}/bin/bootstrap.jar:{CATALINA_HOME}/bin/tomcat-juli.jar"
        ))
        .args(["org.apache.catalina.startup.Bootstrap", "start"]);
    command
}

fn filled(template: &str, folder: &Path, address: SocketAddr) -> String {
    let port = address.port().to_string();
    let folder = folder.display().to_string();
    template
        .replace("{port}", &port)
        .replace("{folder}", &folder)
}
