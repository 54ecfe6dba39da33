//! Other architectures, without an emulator.

use std::io::Read;

use imagewright_layer::{LayerEntryKind, LayerError, read_layer};
use imagewright_oci::MediaType;
use imagewright_testkit::validate::StoredImage;

use crate::support::{Workshop, assert_right, network};

const ELF: [u8; 4] = *b"\x7fELF";
/// `e_machine` of AArch64, in the machine's byte order, which is little-endian.
const AARCH64: [u8; 2] = [183, 0];

#[test]
fn every_program_of_an_arm64_image_is_for_arm64() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    workshop.write(
        "image.yaml",
        "name: arm\nplatform: linux/arm64\npython_version: '3.11'\npackages: [charset-normalizer, six]\n",
    );
    let report = workshop.build("image.yaml", &[]);
    let store = workshop.store();
    let validated = assert_right(&StoredImage::new(store.clone(), report.digest().parse().unwrap()));
    assert_eq!(validated.config.platform.architecture, "arm64");
    let (mut programs, mut foreign) = (0, Vec::new());
    for layer in &validated.manifest.layers {
        let blob = store.blob(&layer.digest).unwrap().unwrap();
        read_layer::<LayerError>(blob, &MediaType::OciLayerGzip, |entry, content| {
            let mut head = Vec::new();
            if matches!(entry.kind, LayerEntryKind::File { .. }) {
                content.take(20).read_to_end(&mut head).unwrap();
            }
            if head.starts_with(&ELF) {
                programs += 1;
                if head[18..20] != AARCH64 {
                    foreign.push(entry.path.clone());
                }
            }
            Ok(())
        })
        .unwrap();
    }
    assert!(programs > 200, "only {programs} programs and libraries");
    assert_eq!(foreign, Vec::<std::path::PathBuf>::new());
}
