//! From what gateway.toml gives a plugin to what the runtime holds it to.

use http::Method;
use portcullis_config::plan::{
    Given, InstanceMode, PluginGrants, PluginLimits, PluginPlan, SnapshotMode,
};
use portcullis_runtime::{
    Bucket, Budget, Copying, Grants, Imports, PathGrant, SecretText, Spec, UpstreamGrant,
};

/// The spec of `[plugin.NAME]`.
pub fn spec(plan: &PluginPlan) -> Spec {
    Spec {
        name: plan.name.clone(),
        settings: SecretText(plan.settings.expose().to_owned()),
        grants: grants(&plan.given.grants),
        budget: budget(&plan.given.limits),
        kept: plan.instance == InstanceMode::Kept,
        copying: match plan.snapshot {
            SnapshotMode::Auto => Copying::Auto,
            SnapshotMode::Always => Copying::Always,
            SnapshotMode::Never => Copying::Never,
        },
        fail_open: plan.given.fail_open,
    }
}

/// What a route leaves of it.
pub(crate) fn narrowed(own: &Spec, given: &Given) -> Spec {
    Spec {
        grants: grants(&given.grants),
        budget: budget(&given.limits),
        fail_open: given.fail_open,
        ..own.clone()
    }
}

fn grants(plan: &PluginGrants) -> Grants {
    let upstream = |grant: &portcullis_config::plan::UpstreamGrant| UpstreamGrant {
        name: grant.name.clone(),
        methods: grant
            .methods
            .iter()
            .filter_map(|method| Method::from_bytes(method.as_bytes()).ok())
            .collect(),
        paths: grant
            .paths
            .iter()
            .map(|path| PathGrant(path.as_str().into()))
            .collect(),
    };
    Grants {
        upstreams: plan.upstreams.iter().map(upstream).collect(),
        stores: plan.state.clone(),
        buckets: plan
            .buckets
            .iter()
            .map(|bucket| Bucket {
                name: bucket.name.clone(),
                size: bucket.size,
                per: bucket.per,
            })
            .collect(),
        random: plan.random,
        clock: plan.clock,
        crypto: plan.crypto,
        log: plan.log,
        calls: plan.calls,
        imports: Imports {
            upstreams: plan.written.upstreams,
            stores: plan.written.state,
            buckets: plan.written.buckets,
        },
    }
}

fn budget(limits: &PluginLimits) -> Budget {
    Budget {
        memory: limits.memory,
        time: limits.time,
        cpu: limits.cpu,
        host_calls: limits.host_calls,
        bytes_in: limits.bytes_in,
        bytes_out: limits.bytes_out,
        concurrent: limits.concurrent,
    }
}
