//! Debian's docker-registry, started on a free port of this machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A registry that ends with this value.
pub(crate) struct DockerRegistry {
    pub(crate) host: String,
    child: Child,
    folder: TempDir,
}

impl DockerRegistry {
    pub(crate) fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), "")
    }

    /// A registry that wants `user` with `secret`.
    pub(crate) fn start_with_login() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("htpasswd");
        // bcrypt of `secret`.
        fs_err::write(&path, "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n").unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path.display());
        Self::start_in(folder, &auth)
    }

    /// A registry that speaks TLS, with a certificate of its own for 127.0.0.1.
    #[expect(clippy::disallowed_methods, reason = "no library of ours makes certificates")]
    pub(crate) fn start_with_tls() -> Self {
        let folder = TempDir::new().unwrap();
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let tls = format!("  tls: {{certificate: {}, key: {}}}\n", certificate.display(), key.display());
        Self::start_in(folder, &tls)
    }

    /// The certificate of a registry that speaks TLS.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    #[expect(clippy::disallowed_methods, reason = "the peer under test")]
    fn start_in(folder: TempDir, extra: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("config.yml");
        let root = folder.path().join("data");
        fs_err::write(&config, Self::config(port, &root, extra)).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let registry = Self { host: format!("127.0.0.1:{port}"), child, folder };
        registry.wait();
        registry
    }

    fn config(port: u16, root: &Path, extra: &str) -> String {
        format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{extra}",
            root.display()
        )
    }

    fn wait(&self) {
        for _ in 0..200 {
            if std::net::TcpStream::connect(&self.host).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not listen at {}", self.host);
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it was started");
    }
}
