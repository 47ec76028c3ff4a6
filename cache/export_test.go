package cache

// Quiet waits until no fetch is under way.
func (e *Engine) Quiet() { e.fills.Wait() }

// NewPlayedStore returns the store of a stage.
func NewPlayedStore(under Store) Store { return newPlayedStore(under) }
