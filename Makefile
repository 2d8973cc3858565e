# Everything that is done with the sources. `make help` lists it; `make demo` and `make test` are the two to know.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export QIX_BIN ?= $(TARGET)/debug
export PORT ?= 8080

.PHONY: help
help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## To see it and to prove it --------------------------------------------------------------------------

.PHONY: demo
demo: programs page ## the app, the proxy and a stand-in for Qlik on http://127.0.0.1:8080 (PORT=… for another)
	@exec node demo/start.mjs

.PHONY: test
test: test-rust test-clients ## every test: Rust's, then the real client libraries and a browser

.PHONY: test-rust
test-rust:
	@.ci/needs cargo cc redis-server
	cargo test --workspace --locked --no-fail-fast

.PHONY: test-clients
test-clients: programs page tests/clients/node_modules/.package-lock.json
	@.ci/needs chromium openssl redis-server
	cd tests/clients && CHROMIUM="$${CHROMIUM:-$$(command -v chromium)}" npm test

.PHONY: autobahn
autobahn: proxy $(TARGET)/autobahn/.installed tests/clients/node_modules/.package-lock.json ## the Autobahn|Testsuite, straight at an echo and through the proxy (AUTOBAHN=1.*,7.* for some cases)
	@.ci/needs node
	node tests/autobahn/run.mjs $(TARGET)/autobahn --cases='$(or $(AUTOBAHN),*)'

.PHONY: callgrind
callgrind: relay-cost ## the instructions a message takes in the relay, against the figures kept
	.ci/callgrind $(TARGET)/release/relay-cost

.PHONY: callgrind-keep
callgrind-keep: relay-cost ## … and keeps what it finds
	.ci/callgrind $(TARGET)/release/relay-cost --keep

.PHONY: relay-cost
relay-cost:
	@.ci/needs cargo cc python valgrind
	cargo build --release --locked -p relay-cost

# libFuzzer's instrumentation is not in a stable compiler; RUSTC_BOOTSTRAP lets this one do it.
.PHONY: fuzz
fuzz: $(TARGET)/fuzzer/bin/cargo-fuzz ## what strangers' bytes meet first, FUZZ seconds a target (10)
	@.ci/needs cargo cc g++
	RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$(TARGET)/fuzz $(TARGET)/fuzzer/bin/cargo-fuzz build --fuzz-dir fuzz
	@for target in header cursor answer call; do \
	  mkdir -p $(TARGET)/fuzz/corpus/$$target; \
	  $(TARGET)/fuzz/*/release/$$target -max_total_time=$(or $(FUZZ),10) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
	    -verbosity=0 -artifact_prefix=$(TARGET)/fuzz/$$target- $(TARGET)/fuzz/corpus/$$target fuzz/seeds/$$target; \
	done

.PHONY: lint
lint: lint-rust lint-dependencies lint-deploy ## format, clippy, docs, dependencies, shell, Dockerfile, manifests

.PHONY: lint-rust
lint-rust:
	@.ci/needs cargo cc
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: lint-dependencies
lint-dependencies:
	@.ci/needs cargo python
	python3 .ci/dependencies.py

.PHONY: lint-deploy
lint-deploy: proxy $(TARGET)/tools/.installed
	@.ci/needs nginx openssl shellcheck
	shellcheck .ci/run .ci/needs .ci/certs .ci/image .ci/nginx .ci/autobahn deploy/image/rootfs deploy/image/binary
	$(TARGET)/tools/bin/hadolint --failure-threshold info Dockerfile
	$(TARGET)/tools/bin/python .ci/manifests.py $(TARGET)/debug/qix-proxy deploy/kubernetes/*.yaml
	.ci/nginx deploy/nginx/app-and-proxy.conf

# As shipped. BENCH="--quick", "--rounds 5 --rows 'plain 200'" …
.PHONY: bench
bench: $(TARGET)/bench/tools/.installed ## the proxy beside nginx, HAProxy and Envoy, by bars; BENCH=--quick for a glance
	@.ci/needs cargo cc python nginx haproxy
	cargo build --profile tool --locked -p qix-load
	ours=$$(deploy/image/binary); $(TARGET)/tool/qix-load bench --ours "$$ours" --out $(TARGET)/bench \
	  --envoy "$$(ls $(TARGET)/bench/tools/lib/python3*/site-packages/envoy/_bin/envoy)" $(BENCH)

## To ship it -----------------------------------------------------------------------------------------

.PHONY: image
image: $(TARGET)/tools/.installed ## the container's image, built by buildah and tried out; as root
	@.ci/needs cargo cc node buildah openssl
	$(TARGET)/tools/bin/hadolint --failure-threshold info Dockerfile
	.ci/image $(TARGET)

.PHONY: certs
certs: ## a development CA and a certificate for localhost, in certs/
	@.ci/needs openssl
	.ci/certs certs

.PHONY: clean
clean: ## remove all that was built or fetched
	cargo clean
	rm -rf demo/dist demo/.run demo/node_modules tests/clients/node_modules

## Parts ----------------------------------------------------------------------------------------------

# Apart, for built together the features that the stand-in and the tests ask for would slip into the proxy.
.PHONY: programs
programs: proxy
	cargo build --locked -p engine-sim

.PHONY: proxy
proxy:
	@.ci/needs cargo cc
	cargo build --locked -p qix-proxy

.PHONY: page
page: demo/node_modules/.package-lock.json
	cd demo && npm run --silent build

%/node_modules/.package-lock.json: %/package-lock.json %/package.json
	@.ci/needs node
	cd $* && npm ci --no-audit --no-fund
	@touch $@

$(TARGET)/autobahn/.installed: .ci/autobahn tests/autobahn/requirements.txt
	@.ci/needs python cc
	.ci/autobahn $(TARGET)/autobahn
	@touch $@

$(TARGET)/fuzzer/bin/cargo-fuzz:
	@.ci/needs cargo cc
	cargo install --quiet cargo-fuzz --version 0.13.2 --locked --root $(TARGET)/fuzzer

$(TARGET)/tools/.installed: .ci/requirements.txt
$(TARGET)/bench/tools/.installed: bench/requirements.txt
$(TARGET)/%/.installed:
	@.ci/needs python
	rm -rf $(@D)
	mkdir -p $(dir $(@D))
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $^
	@touch $@
