// Package blocking finds what can block a goroutine: it walks the calls that
// begin at its functions, through function values and interfaces too, down to
// what leaves the analysed packages or the processor.
package blocking

import (
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/callgraph"
	"golang.org/x/tools/go/callgraph/cha"
	"golang.org/x/tools/go/callgraph/vta"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

// Rules say what may be called. What they do not name can block.
type Rules struct {
	// Roots are the functions that the goroutine begins with, as printed by
	// ssa.Function.String without the path of the module.
	Roots []string

	// Computes are packages outside that only compute, but for Except.
	Computes []string

	// Except are functions of those packages that may wait for something.
	Except []string

	// Elsewhere are functions outside that call what they are given on
	// another goroutine. All others are taken to call it themselves.
	Elsewhere []string

	// Allowed says of a call, "callee" or "caller: callee", why it cannot block.
	// A caller is not looked into where "caller: *" is allowed. A channel's
	// operations are callees "send", "receive" and "select".
	Allowed map[string]string
}

// A Finding is a call that can block.
type Finding struct {
	Caller, Callee string
	At             token.Position
	Chain          []string // from a root to the caller
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s (by %s)", f.At, f.Caller, f.Callee, strings.Join(f.Chain, " → "))
}

// Program is analysed code.
type Program struct {
	module string
	fset   *token.FileSet
	ours   map[*ssa.Package]bool
	graph  *callgraph.Graph
}

// Load reads and builds packages of a module, with all their functions; what
// they import besides is outside.
func Load(dir, module string, patterns ...string) (*Program, error) {
	mode := packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedTypes |
		packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedTypesSizes | packages.NeedExportFile
	list, err := packages.Load(&packages.Config{Mode: mode, Dir: dir}, patterns...)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		for _, e := range p.Errors {
			return nil, fmt.Errorf("load %s: %w", p.PkgPath, e)
		}
	}
	prog, pkgs := ssautil.Packages(list, ssa.InstantiateGenerics)
	prog.Build()
	p := &Program{module: module, fset: prog.Fset, ours: map[*ssa.Package]bool{}}
	for _, pkg := range pkgs {
		if pkg == nil {
			return nil, fmt.Errorf("load %q: a package has no code", patterns)
		}
		p.ours[pkg] = true
	}
	p.graph = vta.CallGraph(ssautil.AllFunctions(prog), cha.CallGraph(prog))
	return p, nil
}

// name is how rules name a function.
func (p *Program) name(fn *ssa.Function) string {
	if origin := fn.Origin(); origin != nil {
		fn = origin
	}
	return strings.ReplaceAll(fn.String(), p.module+"/", "")
}

// Find walks from the roots. unused are entries of Allowed that nothing needed,
// and roots that do not exist.
func (p *Program) Find(r Rules) (found []Finding, unused []string) {
	w := &walk{Program: p, rules: r, seen: map[*ssa.Function]bool{}, used: map[string]bool{}}
	for fn, node := range p.graph.Nodes {
		if fn != nil && node != nil && slices.Contains(r.Roots, p.name(fn)) {
			w.used[p.name(fn)] = true
			w.visit(fn, nil)
		}
	}
	for _, root := range r.Roots {
		if !w.used[root] {
			unused = append(unused, "root "+root)
		}
	}
	for key := range r.Allowed {
		if !w.used[key] {
			unused = append(unused, key)
		}
	}
	slices.Sort(unused)
	slices.SortFunc(w.found, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return w.found, unused
}

// walk is one search.
type walk struct {
	*Program
	rules Rules
	seen  map[*ssa.Function]bool
	used  map[string]bool
	found []Finding
}

// Reaches reports whether a search from the roots comes to a function.
func (p *Program) Reaches(r Rules, name string) bool {
	w := &walk{Program: p, rules: r, seen: map[*ssa.Function]bool{}, used: map[string]bool{}}
	for fn := range p.graph.Nodes {
		if fn != nil && slices.Contains(r.Roots, p.name(fn)) {
			w.visit(fn, nil)
		}
	}
	for fn := range w.seen {
		if p.name(fn) == name {
			return true
		}
	}
	return false
}

func (w *walk) visit(fn *ssa.Function, chain []string) {
	if w.seen[fn] || w.allowed(w.name(fn)+": *") {
		return
	}
	w.seen[fn] = true
	chain = append(slices.Clone(chain), w.name(fn))
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			w.instruction(fn, instr, chain)
		}
	}
}

func (w *walk) instruction(fn *ssa.Function, instr ssa.Instruction, chain []string) {
	switch i := instr.(type) {
	case *ssa.Send:
		w.check(fn, "send", instr.Pos(), chain)
	case *ssa.UnOp:
		if i.Op == token.ARROW {
			w.check(fn, "receive", instr.Pos(), chain)
		}
	case *ssa.Select:
		if i.Blocking {
			w.check(fn, "select", instr.Pos(), chain)
		}
	case *ssa.Go: // its function runs elsewhere
	case ssa.CallInstruction:
		w.call(fn, i, chain)
	}
}

// call follows a call to all that it may come to.
func (w *walk) call(fn *ssa.Function, call ssa.CallInstruction, chain []string) {
	common := call.Common()
	if _, ok := common.Value.(*ssa.Builtin); ok && !common.IsInvoke() {
		return
	}
	var callees []*ssa.Function
	if static := common.StaticCallee(); static != nil {
		callees = append(callees, static)
	} else if node := w.graph.Nodes[fn]; node != nil {
		for _, edge := range node.Out {
			if edge.Site == call {
				callees = append(callees, edge.Callee.Func)
			}
		}
	}
	if len(callees) == 0 {
		name := "a function that is not known, of type " + common.Value.Type().String()
		if common.IsInvoke() {
			name = common.Method.FullName()
		} else if made, ok := common.Value.(*ssa.Call); ok && made.Call.StaticCallee() != nil { // an iterator
			name = w.name(made.Call.StaticCallee())
		}
		w.outside(fn, name, call, chain)
		return
	}
	for _, callee := range callees {
		if len(callee.Blocks) > 0 {
			w.visit(callee, chain)
		} else {
			w.outside(fn, w.name(callee), call, chain)
		}
	}
}

// outside judges a call of what has no code here, and follows the functions that
// it is given.
func (w *walk) outside(fn *ssa.Function, name string, call ssa.CallInstruction, chain []string) {
	if !w.computes(name) && !slices.Contains(w.rules.Elsewhere, name) {
		w.check(fn, name, call.Pos(), chain)
	}
	if slices.Contains(w.rules.Elsewhere, name) {
		return
	}
	for _, arg := range call.Common().Args {
		if _, ok := arg.Type().Underlying().(*types.Signature); !ok {
			continue
		}
		switch f := given(arg).(type) {
		case *ssa.Function:
			if len(f.Blocks) > 0 {
				w.visit(f, chain)
			} else {
				w.outside(fn, w.name(f), call, chain)
			}
		case *ssa.Const: // nil
		default:
			w.check(fn, "a function that is not known, given to "+name, call.Pos(), chain)
		}
	}
}

// given is the function that a value is, where that can be seen.
func given(v ssa.Value) ssa.Value {
	switch v := v.(type) {
	case *ssa.MakeClosure:
		return v.Fn
	case *ssa.ChangeType:
		return given(v.X)
	}
	return v
}

// computes reports whether a function outside belongs to a package that only computes.
func (w *walk) computes(name string) bool {
	pkg := strings.TrimLeft(name, "(*")
	dot := strings.Index(pkg[strings.LastIndex(pkg, "/")+1:], ".")
	if dot < 0 {
		return false
	}
	pkg = pkg[:strings.LastIndex(pkg, "/")+1+dot]
	return slices.Contains(w.rules.Computes, pkg) && !slices.Contains(w.rules.Except, name)
}

func (w *walk) allowed(key string) bool {
	if _, ok := w.rules.Allowed[key]; !ok {
		return false
	}
	w.used[key] = true
	return true
}

func (w *walk) check(fn *ssa.Function, callee string, at token.Pos, chain []string) {
	if w.allowed(callee) || w.allowed(w.name(fn)+": "+callee) {
		return
	}
	w.found = append(w.found, Finding{w.name(fn), callee, w.fset.Position(at), chain})
}
