# The commands of daily work. `.ci/run` runs the same ones.

# A count of executions: with a duration Go may report the end of it as a failure (go.dev/issue/75804).
FUZZTIME ?= 1000000x
TARGETS  := linux/amd64 linux/arm64 linux/386 darwin/amd64 darwin/arm64 freebsd/amd64 freebsd/arm64 windows/amd64 windows/arm64
# Of these, some that have every file between them. go vet compiles all that a
# package needs for each of them, so for the others the types are checked alone.
VETTED   := linux/amd64 linux/386 darwin/arm64 windows/amd64
MODULES  := . $(patsubst %/go.mod,%,$(wildcard */go.mod))

.PHONY: fmt lint fmt-check vet vet-modules staticcheck test test-goroutine test-poison test-late race test-modules fuzz reproducible bench faults soak figures

fmt:
	gofmt -w .

lint: fmt-check vet vet-modules staticcheck

fmt-check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt'd (make fmt does it):"; echo "$$unformatted"; exit 1; }

# What go vet reads of a dependency is the same without its optimisations.
vet:
	@go vet ./...
	@go vet -tags jaypoison ./...
	@for target in $(filter-out $(shell go env GOOS)/$(shell go env GOARCH),$(VETTED)); do \
		GOOS=$${target%/*} GOARCH=$${target#*/} go vet '-gcflags=all=-N -l' ./... || { echo "go vet failed for $$target"; exit 1; }; done
	@go run -C tools ./typecheck -vetted '$(VETTED)' .. $(TARGETS)

vet-modules:
	@for m in $(filter-out . tools,$(MODULES)); do (cd $$m && go vet ./...) || exit 1; done

staticcheck:
	go tool -modfile=tools/go.mod staticcheck ./...

test:
	go test ./...

# The protocols, and the examples as processes, on the backend of the platforms
# that have no other.
test-goroutine:
	JAY_LOOP=goroutine go test ./web ./websocket ./examples/...

# The same packages in a build that overwrites every buffer that is given back:
# what reads through a view that has outlived its bytes, reads that.
test-poison:
	GOFLAGS="$$GOFLAGS -tags=jaypoison" go test . ./internal/loop ./web ./websocket ./framing ./examples/...

# Connections and protocols in a build whose backends complete as late as they
# may, and whose pools overwrite what is given back: too early is seen. The tests of loop itself hold the real backends to more than that.
test-late:
	GOFLAGS="$$GOFLAGS -tags=jaylate,jaypoison" go test . ./web ./websocket ./framing
	go test -tags jaylate -run "Late|SendFile|Packets" ./internal/loop

CONNECTIONS = . ./framing ./web ./websocket

# Everything under the race detector; connections have several loops in the process,
# unless a test needs all on one.
race:
	JAY_TEST_LOOPS=2 go test -race $(CONNECTIONS)
	go test -race $$(go list ./... | grep -v -x $(foreach d,$(CONNECTIONS),-e github.com/jay-go/jay$(d:.%=%)))

# The modules beside the main one: their dependencies reach no user.
test-modules:
	@for m in $(filter-out . tools,$(MODULES)); do (cd $$m && go test -count=1 ./...) || exit 1; done

# Every fuzz target of the module, one after the other.
fuzz:
	@grep -rlE --include='*_test.go' $(addprefix --exclude-dir=,$(filter-out .,$(MODULES))) '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | sed 's/^func //' | while read -r name; do \
			echo "$$dir $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null || exit 1; \
		done || exit 1; \
	done

# The same file, whoever builds it and where: docs/operations.md.
reproducible:
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && mkdir "$$dir/elsewhere" && cp -R [!.]* "$$dir/elsewhere" && \
		CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$$dir/here.bin" ./cmd/jay && \
		(cd "$$dir/elsewhere" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$$dir/there.bin" ./cmd/jay) && \
		sha256sum "$$dir"/*.bin && cmp "$$dir/here.bin" "$$dir/there.bin"

bench:
	go test -run '^$$' -bench . -benchmem ./...

# Injects every fault of the list and writes what came of it. Needs root.
faults:
	cd integration && JAY_CI=1 go run ./faults -out ../docs/faults.md

# Load, reloads and crashes for ten minutes, and what that has cost.
SOAK ?= 10m
soak:
	cd integration && go test -count=1 -v -timeout 60m -run TestSoak ./soak -soak $(SOAK)

figures:
	cd bench && go run ./figures -out ../docs/figures.md
