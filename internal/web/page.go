package web

import (
	"fmt"
	"iter"
	"net/http"
)

// maxPage is how many elements a page has at most: they are held in memory.
const maxPage = 1000

// maxReaders is how many lists are sent at the same time, and readersEach how
// many of them to one client: a list may be the whole record.
const (
	maxReaders  = 32
	readersEach = 8
)

// answerPage sends the first limit elements of list and, in a Link header, where
// the next are. cursor is what comes after an element, for the query's field
// after. A list without a limit, or with one above maxPage, is sent as it comes.
func answerPage[T any](w http.ResponseWriter, r *http.Request, list iter.Seq2[T, error], limit int, cursor func(T) string) {
	if limit == 0 || limit > maxPage {
		answerList(w, first(list, limit))
		return
	}
	page := make([]T, 0, limit)
	for v, err := range list {
		if err != nil {
			failStore(w, err)
			return
		}
		if len(page) == limit {
			next := *r.URL
			q := next.Query()
			q.Set(qAfter, cursor(page[limit-1]))
			next.RawQuery = q.Encode()
			w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", next.RequestURI()))
			break
		}
		page = append(page, v)
	}
	answer(w, http.StatusOK, page)
}

// first yields the first n elements of list, all of them if n is 0.
func first[T any](list iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		i := 0
		for v, err := range list {
			if i++; !yield(v, err) || i == n {
				return
			}
		}
	}
}
