use imagewright_pypa::{PackageName, Version, WheelFilename};
use proptest::prelude::*;

proptest! {
    /// Whatever is given, a parser answers; and what it accepts, it prints so that it accepts it again.
    #[test]
    fn parsers_answer_and_keep_their_word(text in "\\PC{0,40}") {
        if let Ok(name) = text.parse::<PackageName>() {
            prop_assert_eq!(name.as_str().parse::<PackageName>(), Ok(name.clone()));
        }
        if let Ok(version) = text.parse::<Version>() {
            prop_assert_eq!(version.to_string().parse::<Version>(), Ok(version));
        }
        if let Ok(wheel) = text.parse::<WheelFilename>() {
            prop_assert_eq!(wheel.as_str(), text);
        }
    }

    #[test]
    fn wheel_names_come_apart_as_they_were_joined(
        name in "[A-Za-z][A-Za-z0-9_.]{0,8}[A-Za-z0-9]",
        release in "[0-9]{1,3}(\\.[0-9]{1,3}){0,2}",
        build in proptest::option::of("[0-9]{1,3}[a-z]{0,3}"),
        tag in "(py3|cp3[0-9]{1,2})-(none|abi3)-(any|linux_x86_64|manylinux_2_17_x86_64\\.manylinux2014_x86_64)",
    ) {
        let middle = build.as_ref().map(|build| format!("-{build}")).unwrap_or_default();
        let text = format!("{name}-{release}{middle}-{tag}.whl");
        let wheel: WheelFilename = text.parse().unwrap();
        prop_assert_eq!(wheel.name(), &name.parse::<PackageName>().unwrap());
        prop_assert_eq!(wheel.version(), &release.parse::<Version>().unwrap());
        prop_assert_eq!(wheel.tag_text(), tag);
        prop_assert_eq!(wheel.stem(), format!("{name}-{release}"));
        prop_assert_eq!(wheel.build().map(|build| format!("{}{}", build.number, build.suffix)).is_some(), build.is_some());
        prop_assert_eq!(wheel.to_string(), text);
    }
}
