package supervise

import "github.com/jay-go/jay/internal/logs"

// logLimits are those that options ask for.
func logLimits(o *Options) logs.Limits {
	l := logs.Limits{Size: o.LogFileMaxSize, Age: timeoutOr(o.LogFileMaxAge, defaultLogAge), Backups: o.LogFileBackups,
		Keep: timeoutOr(o.LogFileBackupAge, defaultBackupAge)}
	if l.Size == 0 {
		l.Size = defaultLogSize
	}
	if l.Backups == 0 {
		l.Backups = defaultLogBackups
	}
	return l
}
