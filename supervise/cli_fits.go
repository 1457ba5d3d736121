package supervise

import (
	"flag"
	"slices"
	"strings"
)

// checkFlags refuses flags that the command does not heed: who writes reload --workers 4
// would take the answer for another. Those of the environment are everybody's, and those
// that a program or an extension adds are its own.
func (c *config) checkFlags(o *Options, fs *flag.FlagSet) error {
	table := o.commandTable()
	i := slices.IndexFunc(table, func(info commandInfo) bool { return info.name == c.command })
	if i < 0 || c.command == "help" {
		return nil
	}
	special := specialFlags()
	heeds := func(info commandInfo, name string) bool {
		return slices.Contains(info.flags, name) || !special[name] && slices.Contains(info.flags, serviceFlags)
	}
	var failed error
	fs.Visit(func(f *flag.Flag) {
		if failed != nil || !c.own[f.Name] || heeds(table[i], f.Name) || f.Name == "admin" {
			return
		}
		var others []string
		for _, info := range table {
			if heeds(info, f.Name) {
				others = append(others, info.name)
			}
		}
		failed = usagef("%s takes no %s, which is for %s", c.command, dashes(f.Name), strings.Join(others, ", "))
	})
	return failed
}

// specialFlags are those that say something to some commands only.
func specialFlags() map[string]bool {
	special := map[string]bool{}
	for _, info := range builtinCommands() {
		for _, name := range info.flags {
			special[name] = true
		}
	}
	return special
}
