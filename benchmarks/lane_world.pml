/* What stands around the lane's table in the model that Spin checks: the same abstract plant, device and people as in lane_alone.py, written
 * anew in Promela. lane_promela.py puts the table before it: step_EVENT() for every event, with the constants of states, leaves and events.
 * One atomic step of the loop at the end is one transition of the search in Python, so that the counts of both can be compared. */

#define ENTRY 1
#define EXIT 2
#define UNCERTAIN 1
#define ONE_TOO_MANY 2
#define OWED_FREE 9

#define leased (linked && !(l_state == OUT_OF_SERVICE || l_state == FAULT || l_state == EMERGENCY || l_state == NO_POWER || l_state == RECOVER))
#define at_rest (l_state == IDLE || l_state == OUT_OF_SERVICE || l_state == HOLD || l_state == FAULT || l_state == RECOVER || l_state == EMERGENCY || l_state == NO_POWER)
#define waits (l_state == EMERGENCY || l_state == NO_POWER || l_state == RECOVER || l_state == OUT_OF_SERVICE || l_state == FAULT)
#define was_checking (before == ENTRY_OPEN || before == ENTRY_CLOSE || before == CAPTURE || before == DECIDE)
#define was_late (before == ENTRY_OPEN || before == CAPTURE || before == DECIDE || before == EXIT_OPEN)
#define unlocked (p_entry != LOCKED && p_exit != LOCKED)
#define vacant_plant (p_entry == LOCKED && p_exit == LOCKED && inside == 0 && !object && miscount == 0)

/* --- what the lane commands, and what must hold of it ------------------------------------------------------------------------------- */

inline admit() {
    assert(!fire); /* I4 */
    assert(inside == 0 && !object && miscount == 0); /* I8 */
    assert(p_exit == LOCKED); /* I1 */
    p_entry = OPEN; verdict = true
}

inline eject() {
    assert(!fire); /* I4 */
    assert(p_exit == LOCKED); /* I1 */
    p_entry = OPEN
}

inline open_exit() {
    assert(!fire); /* I4 */
    assert(p_entry == LOCKED && p_exit == LOCKED && v_occupancy == 1 && inside <= 1 && !object && linked && supervised); /* I2 */
    assert(verdict || ev == OFFICER_PASS); /* I2, I3, I11 */
    p_exit = OPEN; verdict = false; owed = 1
}

inline close_entry() {
    assert(!fire); /* I4 */
    if :: (p_entry == OPEN || p_entry == RELEASED) && blocked != ENTRY -> p_entry = CLOSING :: else fi
}

inline close_exit() {
    assert(!fire); /* I4 */
    if :: (p_exit == OPEN || p_exit == RELEASED) && blocked != EXIT -> p_exit = CLOSING :: else fi
}

/* --- after every step --------------------------------------------------------------------------------------------------------------- */

inline rest() {
    egress = unlocked && (egress || fire || !mains);
    assert(egress || !unlocked); /* I1 */
    assert(!egress || waits); /* I1: proven locked before it serves again */
    assert(!(l_open && (l_state == IDLE || l_state == OUT_OF_SERVICE))); /* a transaction ends before the lane is free */
    assert(!l_live || l_state == ENTRY_OPEN || l_state == ENTRY_CLOSE || l_state == CAPTURE || l_state == DECIDE); /* I11 */
    assert(linked || (waits && l_state != RECOVER)); /* without a controller the lane serves nobody */
    assert(l_open || !l_live) /* only a running transaction is live */
}

inline begin(event) {
    ev = event; before = l_state; seen = v_occupancy; was_open = l_open
}

inline done() {
    if
    :: linked ->
        assert(!fire || l_state == EMERGENCY); /* I4 */
        assert(!(ev == PLANT && l_state == IDLE) || vacant_plant); /* free only with an empty trap between locked leaves */
        assert(mains || fire || l_state == NO_POWER || l_state == EMERGENCY || l_state == FAULT) /* without power nothing serves */
    :: else
    fi;
    if /* I11, from outside the table: what leaves no permit behind */
    :: (ev == PLANT && was_checking && seen != NOBODY_KNOWS && seen > 1) -> verdict = false
    :: (ev == PLANT && (before == CAPTURE || before == DECIDE) && seen == 0) -> verdict = false
    :: (ev == TIMEOUT && was_late) -> verdict = false
    :: (ev == EXIT_REFERRED && (before == CAPTURE || before == DECIDE)) -> verdict = false
    :: at_rest -> verdict = false
    :: else
    fi;
    rest();
    ev = 0; before = 0; seen = 0; was_open = false /* scratch is no part of a state */
}

inline dead() { faults--; linked = false; verdict = false }

inline exit_locks() { p_exit = LOCKED; owed = 0 }

inline both_forced() { if :: unlocked -> egress = true; owed = OWED_FREE :: else fi }

inline without_power() {
    was_locked = p_exit == LOCKED;
    if :: p_entry == LOCKED && !(inside > 0 && was_locked) -> skip :: else -> p_entry = RELEASED fi;
    if :: was_locked -> skip :: else -> p_exit = RELEASED fi;
    mains = false; verdict = false; was_locked = false;
    if :: owed > 0 -> owed = OWED_FREE :: else fi
}

/* --- everything that may happen ------------------------------------------------------------------------------------------------------- */

init {
    do
    /* people, who also pass moving leaves */
    :: d_step { p_entry != LOCKED && inside < 2 -> inside++; rest() }
    :: d_step { p_entry != LOCKED && inside > 0 -> inside--; rest() }
    :: d_step { p_exit != LOCKED && inside > 0 ->
        assert(owed > 0); /* I14 */
        inside--; if :: owed < OWED_FREE -> owed-- :: else fi; rest() }
    :: d_step { p_exit != LOCKED && inside < 2 && faults > 0 ->
        faults--; inside++; if :: owed < OWED_FREE -> owed++ :: else fi; rest() }
    :: d_step { inside > 0 && !object && faults > 0 -> faults--; object = true; rest() }
    :: d_step { inside > 0 && object -> object = false; rest() }
    :: d_step { blocked != 0 -> blocked = 0; rest() }
    :: d_step { miscount != 0 -> miscount = 0; rest() }

    /* the controller alone: leaves arrive, or turn back from whoever stands there; a lease that is not renewed lapses */
    :: d_step { mains && !fire && p_entry == CLOSING -> if :: blocked == ENTRY -> p_entry = OPEN :: else -> p_entry = LOCKED fi; rest() }
    :: d_step { mains && !fire && p_exit == CLOSING -> if :: blocked == EXIT -> p_exit = OPEN :: else -> exit_locks() fi; rest() }
    :: d_step { mains && !fire && !leased && p_exit == OPEN && blocked != EXIT -> p_exit = CLOSING; rest() }
    :: d_step { mains && !fire && !leased && p_entry == OPEN && blocked != ENTRY && inside == 0 -> p_entry = CLOSING; rest() }
    :: d_step { mains && !fire && !leased && p_exit == LOCKED && p_entry != RELEASED && inside > 0 -> p_entry = RELEASED; rest() }

    /* the same while the host stalls, which is a fault */
    :: d_step { faults > 0 && mains && !fire && p_entry == CLOSING ->
        faults--; if :: blocked == ENTRY -> p_entry = OPEN :: else -> p_entry = LOCKED fi; rest() }
    :: d_step { faults > 0 && mains && !fire && p_exit == CLOSING ->
        faults--; if :: blocked == EXIT -> p_exit = OPEN :: else -> exit_locks() fi; rest() }
    :: d_step { faults > 0 && mains && !fire && p_exit == OPEN && blocked != EXIT -> faults--; p_exit = CLOSING; rest() }
    :: d_step { faults > 0 && mains && !fire && p_entry == OPEN && blocked != ENTRY && inside == 0 -> faults--; p_entry = CLOSING; rest() }
    :: d_step { faults > 0 && mains && !fire && p_exit == LOCKED && p_entry != RELEASED && inside > 0 ->
        faults--; p_entry = RELEASED; rest() }

    /* faults, each at the cost of one, and their ends */
    :: d_step { faults > 0 && linked -> dead(); begin(LINK_LOST); step_LINK_LOST(); done() }
    :: d_step { faults > 0 -> dead(); l_state = OUT_OF_SERVICE; l_open = false; l_live = false; l_retries = 0; rest() }
    :: d_step { faults > 0 && mains -> faults--; without_power(); begin(PLANT); step_PLANT(); done() }
    :: d_step { faults > 0 && !fire ->
        faults--; fire = true; verdict = false; p_entry = RELEASED; p_exit = RELEASED; owed = OWED_FREE; begin(PLANT); step_PLANT(); done() }
    :: d_step { faults > 0 && blocked == 0 && p_entry != LOCKED -> faults--; blocked = ENTRY; rest() }
    :: d_step { faults > 0 && blocked == 0 && p_exit != LOCKED -> faults--; blocked = EXIT; rest() }
    :: d_step { faults > 0 && miscount == 0 -> faults--; miscount = UNCERTAIN; rest() }
    :: d_step { faults > 0 && miscount == 0 -> faults--; miscount = ONE_TOO_MANY; rest() }
    :: d_step { faults > 0 && p_entry == LOCKED -> faults--; p_entry = OPEN; both_forced(); begin(PLANT); step_PLANT(); done() }
    :: d_step { faults > 0 && p_exit == LOCKED ->
        faults--; p_exit = OPEN; owed = OWED_FREE; both_forced(); begin(PLANT); step_PLANT(); done() }
    :: d_step { faults > 0 && supervised -> faults--; supervised = false; begin(SUPERVISION_LOST); step_SUPERVISION_LOST(); done() }
    :: d_step { faults > 0 -> faults--; verdict = false; begin(DEVICE_FAULT); step_DEVICE_FAULT(); done() }
    :: d_step { !linked -> linked = true; begin(LINK_BACK); step_LINK_BACK(); done() }
    :: d_step { !mains -> mains = true; begin(PLANT); step_PLANT(); done() }
    :: d_step { fire -> fire = false; begin(PLANT); step_PLANT(); done() }
    :: d_step { !supervised -> supervised = true; begin(SUPERVISION_BACK); step_SUPERVISION_BACK(); done() }

    /* every other event, at any moment */
    EVENTS
    od
}
