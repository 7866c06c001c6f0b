package station

import (
	"context"
	"time"
)

// View returns what people see now.
func (s *Station) View() View { return s.board.view() }

// Watch sends a View at once and then whenever something has changed, until
// ctx ends. A slow reader gets fewer, never older ones.
func (s *Station) Watch(ctx context.Context) <-chan View { return s.board.watch(ctx) }

// change alters the view and wakes its watchers.
func (b *board) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.count()
	for w := range b.watchers {
		select {
		case w <- struct{}{}:
		default: // it has not looked since the last change
		}
	}
}

// watchEvery bounds how often a watcher is told: a screen shows no more.
const watchEvery = 100 * time.Millisecond

func (b *board) watch(ctx context.Context) <-chan View {
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	b.mu.Lock()
	b.watchers[wake] = true
	b.mu.Unlock()
	views := make(chan View)
	go func() {
		defer close(views)
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.watchers, wake)
		}()
		for {
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			select {
			case views <- b.view():
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(watchEvery):
			case <-ctx.Done():
				return
			}
		}
	}()
	return views
}
