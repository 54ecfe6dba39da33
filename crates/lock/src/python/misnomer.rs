//! Names under which a package is imported, or which beginners try, and the distribution that is meant.

use imagewright_pypa::PackageName;

const MISNOMERS: [(&str, &str); 32] = [
    ("attr", "attrs"),
    ("beautifulsoup", "beautifulsoup4"),
    ("bs4", "beautifulsoup4"),
    ("crypto", "pycryptodome"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("faiss", "faiss-cpu"),
    ("fitz", "pymupdf"),
    ("github", "pygithub"),
    ("google-cloud", "google-cloud-storage"),
    ("jose", "python-jose"),
    ("jwt", "pyjwt"),
    ("lightning-fabric", "lightning"),
    ("magic", "python-magic"),
    ("mpl-toolkits", "matplotlib"),
    ("mysqldb", "mysqlclient"),
    ("opencv", "opencv-python-headless"),
    ("openssl", "pyopenssl"),
    ("pil", "pillow"),
    ("pkg-resources", "setuptools"),
    ("psycopg2", "psycopg2-binary"),
    ("pytorch", "torch"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("slugify", "python-slugify"),
    ("tf", "tensorflow"),
    ("usb", "pyusb"),
    ("yaml", "pyyaml"),
    ("zmq", "pyzmq"),
];

/// The distribution that someone who writes `name` most likely wants.
pub(super) fn meant(name: &PackageName) -> Option<&'static str> {
    MISNOMERS.iter().find(|(wrong, _)| *wrong == name.as_str()).map(|(_, right)| *right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sorted_and_normalised() {
        assert!(MISNOMERS.is_sorted());
        for (wrong, right) in MISNOMERS {
            assert_eq!(wrong.parse::<PackageName>().unwrap().as_str(), wrong);
            assert_eq!(right.parse::<PackageName>().unwrap().as_str(), right);
        }
    }
}
