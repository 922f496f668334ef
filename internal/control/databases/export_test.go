package databases

import (
	"context"
	"testing"
)

// Tend looks after a slot, with another limit.
func (s *Service) Tend(ctx context.Context, slot *Slot, most int64) error {
	return s.tendSlot(ctx, slot, most)
}

// AnySlot is the slot of the first table of the own instance.
func (s *Service) AnySlot(t *testing.T) *Slot {
	t.Helper()
	all, err := s.Tables.Tables(t.Context(), OwnInstance, "", 1)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return &Slot{Name: slotName(&all[0]), TableID: &all[0].ID, Source: all[0].Spec.Source, Database: &all[0].Database}
}
