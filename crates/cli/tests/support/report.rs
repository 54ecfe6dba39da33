use serde_json::Value;

/// What `build --json` printed.
#[derive(Clone, Debug)]
pub(crate) struct Report(Value);

/// A layer of it.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) digest: String,
    pub(crate) size: u64,
    /// What it is for, as `package` or `skeleton`.
    pub(crate) kind: String,
    /// `name version` of each distribution.
    pub(crate) packages: Vec<String>,
    /// `cached`, `produced`, `base` or `mounted`.
    pub(crate) source: String,
}

impl Report {
    #[track_caller]
    pub(crate) fn parse(stdout: &str) -> Self {
        Self(serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}")))
    }

    #[track_caller]
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("no text {field} in {}", self.0))
    }

    #[track_caller]
    pub(crate) fn number(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {}", self.0))
    }

    pub(crate) fn digest(&self) -> &str {
        self.text("digest")
    }

    /// The layers that are not the base's.
    pub(crate) fn own_layers(&self) -> Vec<Layer> {
        self.layers().into_iter().filter(|layer| layer.source != "base").collect()
    }

    #[track_caller]
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let layers = self.0["layers"].as_array().unwrap_or_else(|| panic!("no layers in {}", self.0));
        layers.iter().map(Layer::of).collect()
    }

    /// The outputs: where, under which names, how many bytes.
    #[track_caller]
    pub(crate) fn outputs(&self) -> Vec<(String, String, u64)> {
        let outputs = self.0["outputs"].as_array().unwrap_or_else(|| panic!("no outputs in {}", self.0));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_u64().expect("a number of bytes");
        outputs
            .iter()
            .map(|one| (text(&one["output"]), one["names"].to_string(), number(&one["bytes"])))
            .collect()
    }

    /// The layers that were made now.
    pub(crate) fn produced(&self) -> Vec<Layer> {
        self.layers().into_iter().filter(|layer| layer.source == "produced").collect()
    }

    /// `name version` of all distributions.
    pub(crate) fn packages(&self) -> Vec<String> {
        let mut packages: Vec<String> = self.layers().into_iter().flat_map(|layer| layer.packages).collect();
        packages.sort();
        packages
    }
}

impl Layer {
    fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let packages = value["packages"].as_array().into_iter().flatten();
        Self {
            digest: text("digest"),
            size: value["size"].as_u64().expect("a layer has a size"),
            packages: packages.filter_map(|package| package.as_str().map(str::to_owned)).collect(),
            kind: text("kind"),
            source: text("source"),
        }
    }
}
