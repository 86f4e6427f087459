# Two commands do all their own set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIN := $(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --generate-hashes
export PYSPARK_PYTHON := $(CURDIR)/$(BIN)/python
# Set in many containers; then every process would compile all that it imports: pip leaves that to the first one.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup installed demo acceptance package release test test-fast lint docs checkov provider generate images bench bench-live requirements clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: .venv/ready  ## The virtual environment alone

.venv/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# What a user has: a built wheel, in an environment without our sources. Other packages are those of .venv.
INSTALLED := .build/installed
installed: $(INSTALLED)/ready  ## The built wheel in a separate environment, which the demo and the tests use

$(INSTALLED)/ready: .venv/ready pyproject.toml $(shell find glue python -type f ! -name '*.pyc')
	rm -rf $(INSTALLED)
	$(PYTHON) -m venv --without-pip $(INSTALLED)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir $(INSTALLED) .
	$(BIN)/python -m pip --python $(INSTALLED)/bin/python install --quiet --disable-pip-version-check --no-deps \
		$(INSTALLED)/*.whl
	$(BIN)/python -c 'import site; print(*site.getsitepackages())' \
		> "$$($(INSTALLED)/bin/python -c 'import site; print(*site.getsitepackages())')/packages.pth"
	touch $@

demo: installed  ## The whole loop against an embedded AWS (ENGINE=spark; KEEP=1 leaves it running)
	@$(INSTALLED)/bin/python tools/demo.py

acceptance: installed  ## The demo's steps in your AWS account, and a report of them (TRAIN=1; YES=1; CLEAN=name)
	@$(INSTALLED)/bin/python tools/acceptance.py

package: setup  ## The zip for Lambda and Glue and the wheels for Glue, in dist/ (COMPILE=python3.13 adds compiled files)
	@$(BIN)/python tools/package.py $(if $(COMPILE),--compile $(COMPILE))
	@$(BIN)/python tools/package.py --glue 3.11
	@$(BIN)/python tools/package.py --glue 3.13

release: setup  ## The files of a release and their checksums, from the last commit, in dist/release/
	@$(BIN)/python tools/release.py

# A process more than two cores, since what applies Terraform mostly waits.
test: installed  ## All tests (ARGS=… for pytest)
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: installed  ## The unit tests only, in less than a minute (ARGS=… for pytest)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m unit $(ARGS)

lint: setup .venv/lint docs checkov provider  ## Style, types, policies, links of the documents, and that generated files are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/tfdocs.py --check
	$(BIN)/python tools/generate_sql.py --check
	$(BIN)/python tools/commands.py --check
	git ls-files -z | xargs -0 $(BIN)/codespell
	$(BIN)/python tools/words.py
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml, $(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

.venv/lint: requirements/lint.txt .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements/lint.txt
	touch $@

docs: setup .venv/docs  ## The documentation site in .build/site; a broken link or anchor fails it
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.venv/docs: requirements/docs.txt .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements/docs.txt
	touch $@

# It pins an old boto3, so it has an environment of its own.
checkov: .build/checkov/ready  ## Findings in the Terraform that are not argued in place
	.build/checkov/bin/checkov --directory modules --directory terraform --framework terraform --skip-download --quiet --compact

.build/checkov/ready: requirements/checkov.txt
	$(PYTHON) -m venv .build/checkov
	.build/checkov/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/checkov.txt
	touch $@

# A wheel of bindings that were generated from the schema of a provider 6.x. It is read as a zip and never
# installed, which would take 267 MB.
provider: setup .build/provider/ready  ## Nothing in the Terraform is missing, deprecated or different in provider 5.100 or 6.x
	$(BIN)/python tools/provider_schemas.py .build/provider/*.whl

.build/provider/ready: requirements/provider.txt .venv/ready
	rm -rf .build/provider
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest .build/provider \
		--requirement requirements/provider.txt
	touch $@

generate: setup  ## What is made from other files: tables of the modules, docs/modules.md and commands.md, SQL
	$(BIN)/python tools/tfdocs.py
	$(BIN)/python tools/generate_sql.py
	$(BIN)/python tools/commands.py

images: installed  ## The images of the documentation: overview, a demo's recommendations, the preflight's page
	@$(INSTALLED)/bin/python tools/images.py

bench: setup  ## Ratios against the documented approach (LARGE=1: five million events too)
	@$(BIN)/python bench/bench.py

bench-live: setup  ## Latency of the Lambda function beside the documented one
	@$(BIN)/python bench/bench_live.py

requirements: setup  ## Pin requirements/*.in anew
	$(BIN)/python -m pip install --quiet pip-tools
	$(PIN) --unsafe-package cryptography --unsafe-package cffi --unsafe-package pycparser \
		--output-file requirements/package.txt requirements/package.in
	for name in dev lint docs checkov glue; do \
		$(PIN) --allow-unsafe --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

clean:  ## Remove what is generated
	rm -rf .venv .build build dist
