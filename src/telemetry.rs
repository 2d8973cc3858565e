//! What the operators see: log lines on standard output, and the numbers in `OpenMetrics` text.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::credential::Outcome;
use crate::id::RouteName;
use crate::server::Estate;
use crate::session::{CheckOutcome, CheckReport};

/// Sets up logging for the process; a second call changes nothing.
pub fn log(config: &Log) -> Result<(), TelemetryError> {
    let filter =
        EnvFilter::try_new(&config.level).map_err(|error| TelemetryError(error.to_string()))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    // An error here means that a subscriber is there already, as in tests.
    let _ = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_ansi(false).try_init(),
    };
    Ok(())
}

/// The log level cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("[log] level: {0}")]
pub struct TelemetryError(String);

/// The process's numbers.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    /// Completes a registry with what the house counts by itself.
    #[must_use]
    pub fn new(mut registry: Registry, estate: Arc<Estate>) -> Self {
        registry.register_collector(Box::new(Checks(Arc::clone(&estate))));
        registry.register_collector(Box::new(Fetches(estate)));
        Self(registry)
    }

    /// The numbers as `OpenMetrics` text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.0);
        text
    }
}

/// The credential fetches of every route, read from the hands as they are asked for.
#[derive(Debug)]
struct Fetches(Arc<Estate>);

impl Collector for Fetches {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Askings for a credential, by outcome";
        let mut family =
            encoder.encode_descriptor("credentials", help, None, MetricType::Counter)?;
        for lane in self.0.house().gate.lanes() {
            for outcome in Outcome::ALL {
                let count = ConstCounter::new(lane.outcomes.count(outcome));
                let labels = [
                    ("route", lane.route.name.as_str()),
                    ("outcome", outcome.label()),
                ];
                count.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// The session checks of every route, read from the hands as they are asked for.
#[derive(Debug)]
struct Checks(Arc<Estate>);

impl Collector for Checks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.encode_outcomes(&mut encoder)?;
        self.encode_sources(&mut encoder)
    }
}

impl Checks {
    fn encode_outcomes(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let help = "Session checks of requests, by outcome";
        let mut family =
            encoder.encode_descriptor("session_checks", help, None, MetricType::Counter)?;
        for (route, report) in self.reports() {
            for (outcome, count) in CheckOutcome::ALL.into_iter().zip(report.outcomes) {
                let labels = [
                    ("route", route.as_str()),
                    ("kind", report.kind),
                    ("outcome", outcome.label()),
                ];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn encode_sources(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let help = "Whether whoever is asked about sessions has answered last";
        let mut family =
            encoder.encode_descriptor("session_source_up", help, None, MetricType::Gauge)?;
        for (route, report) in self.reports() {
            if let Some(is_up) = report.is_up {
                let labels = [("route", route.as_str()), ("kind", report.kind)];
                ConstGauge::new(i64::from(is_up)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn reports(&self) -> Vec<(RouteName, CheckReport)> {
        let house = self.0.house();
        let reports = house.gate.lanes().flat_map(|lane| {
            let reports = lane.sessions.reports().into_iter();
            reports.map(|report| (lane.route.name.clone(), report))
        });
        reports.collect()
    }
}
