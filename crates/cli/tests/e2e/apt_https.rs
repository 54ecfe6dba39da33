//! An archive that is only to be had by TLS, of an authority that this machine trusts and the base has never heard of.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use imagewright_testkit::archive::TestArchive;

use crate::support::{Peers, Run, Workshop, is_skipped_without, oracle, run, run_within, spawn, variable};

/// Gives what another server has, by TLS.
const SERVER: &str = r"
import http.server, ssl, sys, urllib.error, urllib.request
origin, certificate = sys.argv[1:]
fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, body = 200, fetch(origin + self.path).read()
        except urllib.error.HTTPError as error:
            status, body = error.code, b''
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

/// A running server; it ends when it is dropped.
#[derive(Debug)]
struct TlsServer {
    child: Child,
    port: String,
}

impl TlsServer {
    #[expect(clippy::disallowed_methods, reason = "a peer is a program")]
    fn start(python: &Path, origin: &str, certificate: &Path) -> Self {
        let mut command = Command::new(python);
        let mut child = spawn(command.args(["-c", SERVER, origin]).arg(certificate));
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned() }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A certificate for `localhost` with its key, and the certificates of this machine with it among them.
fn certificates(folder: &Path) -> (PathBuf, PathBuf, String) {
    fs_err::create_dir_all(folder).unwrap();
    let [key, certificate, both, bundle] =
        ["key.pem", "certificate.pem", "both.pem", "bundle.pem"].map(|name| folder.join(name));
    let text = |path: &Path| path.to_str().expect("test folders have plain names").to_owned();
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                   -addext subjectAltName=DNS:localhost";
    let words: Vec<&str> = request.split(' ').filter(|word| !word.is_empty()).collect();
    run("openssl", &[&words[..], &["-keyout", &text(&key), "-out", &text(&certificate)]].concat());
    let read = |path: &Path| fs_err::read_to_string(path).unwrap();
    fs_err::write(&both, read(&key) + &read(&certificate)).unwrap();
    let machine = variable("SSL_CERT_FILE").unwrap_or("/etc/ssl/certs/ca-certificates.crt".to_owned());
    fs_err::write(&bundle, read(Path::new(&machine)) + &read(&certificate)).unwrap();
    let line = read(&certificate).lines().nth(2).unwrap().to_owned();
    (both, bundle, line)
}

#[test]
fn apt_trusts_whom_this_machine_trusts_and_the_image_does_not() {
    let Some(peers) = Peers::find() else { return };
    let Some(python) = oracle() else { return };
    if is_skipped_without("openssl") {
        return;
    }
    let (workshop, archive) = (Workshop::warm(), TestArchive::start());
    archive.add("app", "1.0", "");
    let (certificate, bundle, line) = certificates(&workshop.path("tls"));
    let source = archive.source();
    let origin = source.lines().find_map(|line| line.strip_prefix("URIs: ")).unwrap().trim_end_matches('/');
    let server = TlsServer::start(&python, origin, &certificate);
    let by_tls = source.replace(origin, &format!("https://localhost:{}", server.port));
    assert!(by_tls.contains("https://"), "{by_tls}");
    workshop.write("files/test.sources", by_tls);
    let base = format!(
        "name: tls\nbase_image: {}/debian-python:bookworm\nbuilder_options: {{bytecode: false}}\n\
         copy: [files]\ncommands: ['rm -rf /etc/apt/sources.list* /etc/ssl/certs /usr/share/ca-certificates', \
         'mkdir /etc/apt/sources.list.d', 'cp /root/files/test.sources /etc/apt/sources.list.d/']\n",
        peers.bases
    );
    workshop.write("base.yaml", base);
    workshop.build("base.yaml", &["--output", "oci:base"]);
    let spec = "name: app\nbase_image: oci:base\napt_packages: [app]\nbuilder_options: {bytecode: false}\n";
    workshop.write("image.yaml", spec);

    let build = |bundle: Option<&Path>| -> Run {
        let mut command = workshop.command(&["build", "image.yaml"]);
        bundle.map(|bundle| command.env("SSL_CERT_FILE", bundle));
        run_within(&mut command, Duration::from_mins(3))
    };
    build(None).expect(5).says(&["Certificate verification failed"]);
    build(Some(&bundle)).expect(0);
    let ask = format!("cat /opt/app; grep -rlF -e '{line}' /etc /usr /opt /var /root /home || echo nowhere");
    let said = workshop.run(&["run", "image.yaml", "--user", "root", "--", "sh", "-c", &ask]).expect(0);
    assert_eq!(said.stdout, "1.0\nnowhere\n");
}
