(* What a count of conservation laws proves, for every ring of functions. Checked by Coq 8.16, standard library, no axioms. *)

Require Import ZArith Znumtheory List Lia Bool Ring Ring_theory InitialRing Setoid.
Import ListNotations.
Set Implicit Arguments.
Unset Strict Implicit.

(** * Commutative rings, sums *)

Record ring := {
  car :> Type; zero : car; one : car;
  plus : car -> car -> car; times : car -> car -> car; minus : car -> car -> car; opp : car -> car;
  ring_laws : ring_theory zero one plus times minus opp (@eq car) }.
Arguments zero {_}. Arguments one {_}. Arguments plus {_}. Arguments times {_}. Arguments minus {_}. Arguments opp {_}.
Declare Scope ring_of_functions.
Delimit Scope ring_of_functions with R.
Notation "0" := zero : ring_of_functions. Notation "1" := one : ring_of_functions.
Notation "a + b" := (plus a b) : ring_of_functions. Notation "a * b" := (times a b) : ring_of_functions.
Notation "a - b" := (minus a b) : ring_of_functions. Notation "- a" := (opp a) : ring_of_functions.

Definition Zring : ring := {| ring_laws := Zth |}.

Section Sums.
  Variable R : ring.
  Add Ring R_ring : (ring_laws R).
  Local Open Scope ring_of_functions.

  Fixpoint sum (n : nat) (f : nat -> R) : R := match n with O => 0 | S n => sum n f + f n end.

  Definition inj (z : Z) : R := gen_phiZ zero one plus times opp z.

  Lemma inj_morph : ring_morph zero one plus times minus opp (@eq R) 0%Z 1%Z Z.add Z.mul Z.sub Z.opp Zeq_bool inj.
  Proof. apply gen_phiZ_morph. constructor; congruence. constructor; congruence. apply ring_laws. Qed.

  Lemma inj_0 : inj 0 = 0. Proof. reflexivity. Qed.
  Lemma inj_1 : inj 1 = 1. Proof. reflexivity. Qed.
  Lemma inj_plus a b : inj (a + b) = inj a + inj b. Proof. apply (morph_add inj_morph). Qed.
  Lemma inj_times a b : inj (a * b) = inj a * inj b. Proof. apply (morph_mul inj_morph). Qed.
  Lemma inj_opp a : inj (- a) = - inj a. Proof. apply (morph_opp inj_morph). Qed.

  Lemma sum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> sum n f = sum n g.
  Proof. induction n; intros H; simpl. reflexivity. rewrite IHn, H; auto with arith. Qed.
  Lemma sum_zero n f : (forall i, (i < n)%nat -> f i = 0) -> sum n f = 0.
  Proof. induction n; intros H; simpl. reflexivity. rewrite IHn, H; auto with arith. ring. Qed.
  Lemma sum_plus n f g : sum n (fun i => f i + g i) = sum n f + sum n g.
  Proof. induction n; simpl. ring. rewrite IHn. ring. Qed.
  Lemma sum_minus n f g : sum n (fun i => f i - g i) = sum n f - sum n g.
  Proof. induction n; simpl. ring. rewrite IHn. ring. Qed.
  Lemma sum_times n c f : c * sum n f = sum n (fun i => c * f i).
  Proof. induction n; simpl. ring. rewrite <- IHn. ring. Qed.
  Lemma sum_times_r n c f : sum n f * c = sum n (fun i => f i * c).
  Proof. induction n; simpl. ring. rewrite <- IHn. ring. Qed.
  Lemma sum_swap n m f : sum n (fun i => sum m (fun j => f i j)) = sum m (fun j => sum n (fun i => f i j)).
  Proof. induction n; simpl. symmetry; apply sum_zero; reflexivity. rewrite IHn, <- sum_plus. reflexivity. Qed.
  Lemma sum_split m n f : sum (m + n)%nat f = sum m f + sum n (fun i => f (m + i)%nat).
  Proof. induction n; simpl. rewrite Nat.add_0_r. ring. rewrite Nat.add_succ_r. simpl. rewrite IHn. ring. Qed.
  Lemma sum_one n k f : (k < n)%nat -> (forall i, (i < n)%nat -> i <> k -> f i = 0) -> sum n f = f k.
  Proof.
    induction n; intros Hk H; [lia|]. simpl. destruct (Nat.eq_dec k n) as [->|].
    - rewrite sum_zero. ring. intros; apply H; lia.
    - rewrite IHn, (H n). ring. lia. lia. lia. intros; apply H; lia.
  Qed.

  Definition skip (q j : nat) : nat := if (j <? q)%nat then j else S j.
  Lemma sum_skip n : forall q f, (q <= n)%nat -> sum (S n) f = f q + sum n (fun j => f (skip q j)).
  Proof.
    induction n; intros q f Hq.
    - replace q with O by lia. simpl. ring.
    - destruct (Nat.eq_dec q (S n)) as [->|].
      + change (sum (S (S n)) f) with (sum (S n) f + f (S n)).
        rewrite (@sum_ext (S n) (fun j => f (skip (S n) j)) f). ring.
        intros i Hi. unfold skip. apply Nat.ltb_lt in Hi. rewrite Hi. reflexivity.
      + change (sum (S (S n)) f) with (sum (S n) f + f (S n)). rewrite (IHn q f) by lia.
        change (sum (S n) (fun j => f (skip q j))) with (sum n (fun j => f (skip q j)) + f (skip q n)).
        replace (skip q n) with (S n). ring.
        unfold skip. destruct (Nat.ltb_spec n q); lia.
  Qed.
End Sums.

Arguments inj : simpl never.
Arguments Z.add : simpl never.
Arguments Nat.ltb : simpl never.
Arguments Z.mul : simpl never.

(** * n + 1 vectors of n numbers are dependent *)

Record domain := {
  base :> ring;
  nontrivial : (one : base) <> zero;
  integral : forall a b : base, times a b = zero -> a = zero \/ b = zero;
  decided : forall a : base, a = zero \/ a <> zero }.

Lemma Z_nontrivial : (one : Zring) <> zero.
Proof. discriminate. Qed.
Lemma Z_integral (a b : Zring) : times a b = zero -> a = zero \/ b = zero.
Proof. apply Z.mul_eq_0. Qed.
Lemma Z_decided (a : Zring) : a = zero \/ a <> zero.
Proof. destruct (Z.eq_dec a 0); auto. Qed.
Definition Zdomain : domain := {| base := Zring; nontrivial := Z_nontrivial; integral := Z_integral; decided := Z_decided |}.

Section Dependence.
  Variable K : domain.
  Add Ring K_ring : (ring_laws K).
  Local Open Scope ring_of_functions.

  Lemma search n (f : nat -> K) : (forall j, (j < n)%nat -> f j = 0) \/ exists q, (q < n)%nat /\ f q <> 0.
  Proof.
    induction n. left; intros; lia.
    destruct IHn as [H|[q [Hq H]]]; [|right; exists q; split; [lia|auto]].
    destruct (decided (f n)) as [E|E].
    - left. intros j Hj. destruct (Nat.eq_dec j n) as [->|]; auto. apply H. lia.
    - right. exists n. split; [lia|auto].
  Qed.

  Definition unskip (q k : nat) : nat := if (k <? q)%nat then k else pred k.
  Lemma unskip_skip q j : unskip q (skip q j) = j.
  Proof.
    unfold skip, unskip. destruct (Nat.ltb_spec j q) as [L|L].
    - apply Nat.ltb_lt in L. rewrite L. reflexivity.
    - destruct (Nat.ltb_spec (S j) q); lia.
  Qed.
  Lemma skip_not q j : skip q j <> q.
  Proof. unfold skip. destruct (Nat.ltb_spec j q); lia. Qed.

  (* Some combination of w 0, ..., w n vanishes, and not all its coefficients do. *)
  Lemma dependent n : forall w : nat -> nat -> K,
    exists c : nat -> K,
      (exists j, (j <= n)%nat /\ c j <> 0) /\ forall i, (i < n)%nat -> sum (S n) (fun j => c j * w j i) = 0.
  Proof.
    induction n; intros w.
    - exists (fun _ => 1). split. exists O. split. lia. apply nontrivial. intros; lia.
    - destruct (search (S (S n)) (fun j => w j n)) as [H|[q [Hq E]]].
      + destruct (IHn w) as [c [[j [Hj Ej]] Hc]].
        exists (fun k => if (k <=? n)%nat then c k else 0). split.
        * exists j. split. lia. rewrite (proj2 (Nat.leb_le j n)) by lia. auto.
        * intros i Hi. change (sum (S (S n)) ?f) with (sum (S n) f + f (S n)). cbv beta.
          rewrite (proj2 (Nat.leb_gt (S n) n)) by lia.
          rewrite (@sum_ext _ (S n) _ (fun j => c j * w j i)).
          2: { intros k Hk. rewrite (proj2 (Nat.leb_le k n)) by lia. reflexivity. }
          destruct (Nat.eq_dec i n) as [->|].
          -- rewrite sum_zero. ring. intros k Hk. rewrite H by lia. ring.
          -- rewrite Hc by lia. ring.
      + set (a := w q n) in *.
        destruct (IHn (fun j i => a * w (skip q j) i - w (skip q j) n * w q i)) as [c [[j [Hj Ej]] Hc]].
        set (b := - sum (S n) (fun j => c j * w (skip q j) n)).
        exists (fun k => if (k =? q)%nat then b else a * c (unskip q k)). split.
        * exists (skip q j). split. unfold skip. destruct (j <? q)%nat; lia.
          rewrite (proj2 (Nat.eqb_neq _ _) (@skip_not q j)), unskip_skip.
          intros C. destruct (integral C); contradiction.
        * intros i Hi. rewrite sum_skip with (q := q) by lia. rewrite Nat.eqb_refl.
          rewrite (@sum_ext _ (S n) _ (fun j => a * (c j * w (skip q j) i))).
          2: { intros k Hk. rewrite (proj2 (Nat.eqb_neq _ _) (@skip_not q k)), unskip_skip. ring. }
          rewrite <- sum_times. destruct (Nat.eq_dec i n) as [->|].
          -- unfold b. fold a. ring.
          -- rewrite <- (Hc i) by lia. unfold b.
             rewrite (@sum_ext _ (S n) (fun j => c j * (a * w (skip q j) i - w (skip q j) n * w q i))
               (fun j => a * (c j * w (skip q j) i) - w q i * (c j * w (skip q j) n))) by (intros; ring).
             rewrite sum_minus, <- !sum_times. ring.
  Qed.
End Dependence.

(** * A matrix of integers with an inverse modulo p is injective over every domain of characteristic 0 *)

Definition delta (i j : nat) : Z := if (i =? j)%nat then 1%Z else 0%Z.
Definition Zsum (n : nat) (f : nat -> Z) : Z := @sum Zring n f.
Definition inverse_mod (p : Z) (n : nat) (A B : nat -> nat -> Z) : Prop :=
  forall i j, (i < n)%nat -> (j < n)%nat -> (p | Zsum n (fun k => A i k * B k j) - delta i j)%Z.

Lemma Zsum_divide p n f : (forall i, (i < n)%nat -> (p | f i)%Z) -> (p | Zsum n f)%Z.
Proof.
  induction n; intros H. apply Z.divide_0_r.
  apply Z.divide_add_r. apply IHn; auto. apply H; auto.
Qed.

Lemma Zsum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> Zsum n f = Zsum n g.
Proof. exact (@sum_ext Zring n f g). Qed.
Lemma Zsum_zero n f : (forall i, (i < n)%nat -> f i = 0%Z) -> Zsum n f = 0%Z.
Proof. exact (@sum_zero Zring n f). Qed.
Lemma Zsum_swap n m f : Zsum n (fun i => Zsum m (fun j => f i j)) = Zsum m (fun j => Zsum n (fun i => f i j)).
Proof. exact (@sum_swap Zring n m f). Qed.
Lemma Zsum_minus n f g : Zsum n (fun i => f i - g i)%Z = (Zsum n f - Zsum n g)%Z.
Proof. exact (@sum_minus Zring n f g). Qed.
Lemma Zsum_times n c f : (c * Zsum n f)%Z = Zsum n (fun i => c * f i)%Z.
Proof. exact (@sum_times Zring n c f). Qed.
Lemma Zsum_times_r n c f : (Zsum n f * c)%Z = Zsum n (fun i => f i * c)%Z.
Proof. exact (@sum_times_r Zring n c f). Qed.

Section Inverse.
  Variables (p : Z) (n : nat) (A B : nat -> nat -> Z).
  Hypothesis p_large : (1 < p)%Z.
  Hypothesis AB : inverse_mod p n A B.

  Lemma divides c : (forall j, (j < n)%nat -> Zsum n (fun i => c i * A i j)%Z = 0%Z) ->
    forall j, (j < n)%nat -> (p | c j)%Z.
  Proof.
    intros H j Hj.
    assert (E : Zsum n (fun i => c i * Zsum n (fun k => A i k * B k j))%Z = 0%Z).
    { transitivity (Zsum n (fun k => Zsum n (fun i => c i * A i k) * B k j))%Z.
      - rewrite (@Zsum_ext n _ (fun i => Zsum n (fun k => c i * A i k * B k j)%Z)).
        2: { intros i _. rewrite Zsum_times. apply Zsum_ext. intros. apply Z.mul_assoc. }
        rewrite Zsum_swap. apply Zsum_ext. intros k _. symmetry. apply Zsum_times_r.
      - apply Zsum_zero. intros k Hk. rewrite H by auto. reflexivity. }
    assert (S : Zsum n (fun i => c i * delta i j)%Z = c j).
    { unfold Zsum. rewrite (@sum_one Zring n j); auto.
      - unfold delta. rewrite Nat.eqb_refl. apply Z.mul_1_r.
      - intros i Hi N. unfold delta. rewrite (proj2 (Nat.eqb_neq _ _) N). apply Z.mul_0_r. }
    assert (G : (p | Zsum n (fun i => c i * (Zsum n (fun k => A i k * B k j) - delta i j)))%Z).
    { apply Zsum_divide. intros i Hi. apply Z.divide_mul_r. apply AB; auto. }
    rewrite (@Zsum_ext n _ (fun i => c i * Zsum n (fun k => A i k * B k j) - c i * delta i j)%Z) in G
      by (intros; ring).
    rewrite Zsum_minus, E, S in G. apply Z.divide_opp_r. exact G.
  Qed.

  Lemma divides_all k : forall c, (forall j, (j < n)%nat -> Zsum n (fun i => c i * A i j)%Z = 0%Z) ->
    forall j, (j < n)%nat -> (p ^ Z.of_nat k | c j)%Z.
  Proof.
    induction k; intros c H j Hj. apply Z.divide_1_l.
    assert (D := divides H).
    assert (E : forall i, (i < n)%nat -> c i = (p * (c i / p))%Z).
    { intros i Hi. apply Z_div_exact_2. lia. apply Zdivide_mod. auto. }
    rewrite Nat2Z.inj_succ, Z.pow_succ_r by lia. rewrite (E j Hj). apply Z.mul_divide_mono_l.
    apply (IHk (fun i => c i / p)%Z); auto. intros i Hi.
    apply Z.mul_cancel_l with (p := p). lia. rewrite Z.mul_0_r. rewrite <- (H i Hi).
    rewrite Zsum_times. apply Zsum_ext.
    intros m Hm. rewrite (E m Hm) at 2. ring.
  Qed.

  Lemma rows_independent c : (forall j, (j < n)%nat -> Zsum n (fun i => c i * A i j)%Z = 0%Z) ->
    forall j, (j < n)%nat -> c j = 0%Z.
  Proof.
    intros H j Hj. destruct (Z.eq_dec (c j) 0) as [|N]; auto. exfalso.
    assert (D := divides_all (Z.to_nat (Z.abs (c j))) H Hj).
    apply Z.divide_abs_r in D. apply Z.divide_pos_le in D; [|lia].
    rewrite Z2Nat.id in D by lia.
    assert (G := Z.pow_gt_lin_r p (Z.abs (c j)) p_large). lia.
  Qed.

  Variable K : domain.
  Hypothesis characteristic_0 : forall z, inj K z = zero -> z = 0%Z.
  Add Ring K_ring2 : (ring_laws K).

  Lemma inj_Zsum m f : inj K (Zsum m f) = sum m (fun i => inj K (f i)).
  Proof. induction m. reflexivity. unfold Zsum in *. simpl. rewrite inj_plus, IHm. reflexivity. Qed.

  Lemma injective (v : nat -> K) :
    (forall i, (i < n)%nat -> sum n (fun j => inj K (A i j) * v j)%R = zero) -> forall r, (r < n)%nat -> v r = zero.
  Proof.
    intros H r Hr.
    destruct (@dependent Zdomain n (fun k => if (k <? n)%nat then A k else delta r)) as [c [[j [Hj Nj]] Hc]].
    assert (R : forall i, (i < n)%nat -> (Zsum n (fun k => c k * A k i) + c n * delta r i)%Z = 0%Z).
    { intros i Hi. refine (eq_trans _ (Hc i Hi)). simpl. rewrite Nat.ltb_irrefl. f_equal.
      apply (@sum_ext Zring). intros k Hk. apply Nat.ltb_lt in Hk. rewrite Hk. reflexivity. }
    assert (N : c n <> 0%Z).
    { intros E. apply Nj. destruct (Nat.eq_dec j n) as [->|]; auto.
      apply rows_independent; [|lia]. intros i Hi. rewrite <- (R i Hi), E. rewrite Z.mul_0_l, Z.add_0_r. reflexivity. }
    assert (E : (inj K (c n) * v r)%R = zero).
    { transitivity (sum n (fun i => inj K (Zsum n (fun k => c k * A k i)%Z + c n * delta r i)%Z * v i))%R.
      2: { apply sum_zero. intros i Hi. rewrite (R i Hi), inj_0. ring. }
      rewrite (@sum_ext _ n _ (fun i => sum n (fun k => inj K (c k) * (inj K (A k i) * v i))
        + inj K (c n) * inj K (delta r i) * v i)%R).
      2: { intros i Hi. rewrite inj_plus, inj_Zsum, inj_times.
           transitivity (sum n (fun k => inj K (c k * A k i)) * v i + inj K (c n) * inj K (delta r i) * v i)%R. ring.
           f_equal. rewrite sum_times_r. apply sum_ext. intros. rewrite inj_times. ring. }
      rewrite sum_plus, sum_swap.
      rewrite (@sum_zero _ n (fun j => sum n _)).
      2: { intros k Hk. rewrite <- sum_times, (H k Hk). ring. }
      rewrite (@sum_one _ n r); auto.
      - unfold delta. rewrite Nat.eqb_refl, inj_1. ring.
      - intros i Hi Ni. unfold delta. rewrite (proj2 (Nat.eqb_neq r i)) by auto. rewrite inj_0. ring. }
    destruct (integral E) as [Z|]; auto. destruct (N (characteristic_0 Z)).
  Qed.
End Inverse.

(** * Polynomials: lists of terms, a monomial being the sorted list of its variables *)

Definition mono := list positive.
Definition poly := list (Z * mono).

Fixpoint compare (a b : mono) : comparison :=
  match a, b with
  | [], [] => Eq | [], _ => Gt | _, [] => Lt
  | x :: a, y :: b => match Pos.compare x y with Eq => compare a b | c => c end
  end.

Fixpoint mmul (a : mono) : mono -> mono :=
  fix go (b : mono) := match a, b with
  | [], _ => b | _, [] => a
  | x :: a', y :: b' => if Pos.leb x y then x :: mmul a' b else y :: go b'
  end.

Fixpoint padd (p : poly) : poly -> poly :=
  fix go (q : poly) := match p, q with
  | [], _ => q | _, [] => p
  | (c, m) :: p', (d, n) :: q' =>
    match compare m n with
    | Lt => (c, m) :: padd p' q
    | Gt => (d, n) :: go q'
    | Eq => if Z.eqb (c + d) 0 then padd p' q' else ((c + d)%Z, m) :: padd p' q'
    end
  end.

Definition pscale (c : Z) (m : mono) (p : poly) : poly := map (fun t => ((c * fst t)%Z, mmul m (snd t))) p.
Fixpoint pmul (p q : poly) : poly := match p with [] => [] | (c, m) :: p => padd (pscale c m q) (pmul p q) end.
Definition psub (p q : poly) : poly := padd p (pscale (-1) [] q).
Fixpoint psum (n : nat) (f : nat -> poly) : poly := match n with O => [] | S n => padd (psum n f) (f n) end.

(* The power of v in m, and m with one v less. *)
Fixpoint mderiv (v : positive) (m : mono) : Z * mono :=
  match m with
  | [] => (0%Z, [])
  | x :: m => let (k, r) := mderiv v m in if Pos.eqb x v then ((1 + k)%Z, m) else (k, x :: r)
  end.
Fixpoint pderiv (v : positive) (p : poly) : poly :=
  match p with
  | [] => []
  | (c, m) :: p => let (k, r) := mderiv v m in if Z.eqb k 0 then pderiv v p else ((c * k)%Z, r) :: pderiv v p
  end.

Lemma compare_eq a : forall b, compare a b = Eq -> a = b.
Proof.
  induction a as [|x a IH]; intros [|y b]; simpl; try discriminate; auto.
  destruct (Pos.compare_spec x y) as [->| |]; try discriminate. intros H. rewrite (IH _ H). reflexivity.
Qed.

Section Values.
  Variable R : ring.
  Add Ring R_ring3 : (ring_laws R).
  Variable rho : positive -> R.
  Local Open Scope ring_of_functions.

  Fixpoint mvalue (m : mono) : R := match m with [] => 1 | v :: m => rho v * mvalue m end.
  Fixpoint value (p : poly) : R := match p with [] => 0 | (c, m) :: p => inj R c * mvalue m + value p end.

  Lemma value_mmul a : forall b, mvalue (mmul a b) = mvalue a * mvalue b.
  Proof.
    induction a as [|x a IHa]; intros b; [destruct b; simpl; ring|].
    induction b as [|y b IHb]; [simpl; ring|].
    simpl. destruct (Pos.leb x y); simpl.
    - rewrite IHa. simpl. ring.
    - change ((fix go (b0 : mono) : mono := match b0 with [] => x :: a | y0 :: b' =>
        if (x <=? y0)%positive then x :: mmul a b0 else y0 :: go b' end) b) with (mmul (x :: a) b).
      rewrite IHb. simpl. ring.
  Qed.

  Lemma value_padd p : forall q, value (padd p q) = value p + value q.
  Proof.
    induction p as [|[c m] p IHp]; intros q; [destruct q; simpl; ring|].
    induction q as [|[d n] q IHq]; [simpl; ring|].
    change (padd ((c, m) :: p) ((d, n) :: q)) with (match compare m n with
      | Lt => (c, m) :: padd p ((d, n) :: q) | Gt => (d, n) :: padd ((c, m) :: p) q
      | Eq => if Z.eqb (c + d) 0 then padd p q else ((c + d)%Z, m) :: padd p q end).
    destruct (compare m n) eqn:E.
    - apply compare_eq in E. subst n.
      assert (H : inj R (c + d) = inj R c + inj R d) by apply inj_plus.
      destruct (Z.eqb_spec (c + d) 0) as [Z|_].
      + rewrite Z, inj_0 in H. rewrite IHp. simpl.
        transitivity (0 * mvalue m + value p + value q). ring. rewrite H. ring.
      + simpl. rewrite H, IHp. ring.
    - simpl. rewrite IHp. simpl. ring.
    - change (value ((d, n) :: padd ((c, m) :: p) q)) with (inj R d * mvalue n + value (padd ((c, m) :: p) q)).
      rewrite IHq. simpl. ring.
  Qed.

  Lemma value_pscale c m p : value (pscale c m p) = inj R c * mvalue m * value p.
  Proof.
    induction p as [|[d n] p IH]; simpl. ring. rewrite IH, inj_times, value_mmul. ring.
  Qed.
  Lemma value_pmul p q : value (pmul p q) = value p * value q.
  Proof.
    induction p as [|[c m] p IH]; simpl. ring. rewrite value_padd, value_pscale, IH. ring.
  Qed.
  Lemma value_psub p q : value (psub p q) = value p - value q.
  Proof.
    unfold psub. rewrite value_padd, value_pscale. change (-1)%Z with (Z.opp 1). rewrite inj_opp, inj_1. simpl. ring.
  Qed.
  Lemma value_psum n f : value (psum n f) = sum n (fun i => value (f i)).
  Proof. induction n; simpl. reflexivity. rewrite value_padd, IHn. reflexivity. Qed.

  Lemma value_mderiv v m : let (k, r) := mderiv v m in inj R k * (rho v * mvalue r) = inj R k * mvalue m.
  Proof.
    induction m as [|x m IH]; simpl. rewrite inj_0. ring.
    destruct (mderiv v m) as [k r]. destruct (Pos.eqb_spec x v) as [->|]; simpl. reflexivity.
    transitivity (rho x * (inj R k * (rho v * mvalue r))). ring. rewrite IH. ring.
  Qed.
End Values.

Arguments padd : simpl never.
Arguments mmul : simpl never.

(** * Functions with partial derivatives near a point

  [F] is a ring of functions near a point; [smooth] are those that may be differentiated (C^1); [x i] are the
  coordinates. [K] holds the values of functions at the point, whose coordinates are the integers [P i].
  The real functions near a point of R^D, with C^1 and the partial derivatives, are an instance, K being R;
  so are germs of analytic functions, and polynomials. *)

Record differential (D : nat) (P : nat -> Z) := {
  F : ring;
  K : domain;
  smooth : F -> Prop;
  x : nat -> F;
  d : nat -> F -> F;
  at_point : F -> K;
  smooth_one : smooth one;
  smooth_plus : forall a b, smooth a -> smooth b -> smooth (plus a b);
  smooth_times : forall a b, smooth a -> smooth b -> smooth (times a b);
  smooth_opp : forall a, smooth a -> smooth (opp a);
  smooth_x : forall i, (i < D)%nat -> smooth (x i);
  d_plus : forall i a b, (i < D)%nat -> smooth a -> smooth b -> d i (plus a b) = plus (d i a) (d i b);
  d_times : forall i a b, (i < D)%nat -> smooth a -> smooth b ->
    d i (times a b) = plus (times (d i a) b) (times a (d i b));
  d_x : forall i j, (i < D)%nat -> (j < D)%nat -> d i (x j) = if (i =? j)%nat then one else zero;
  at_one : at_point one = one;
  at_plus : forall a b, at_point (plus a b) = plus (at_point a) (at_point b);
  at_times : forall a b, at_point (times a b) = times (at_point a) (at_point b);
  at_x : forall i, (i < D)%nat -> at_point (x i) = inj K (P i);
  characteristic_zero : forall z, inj K z = zero -> z = 0%Z }.

Definition var (i : nat) : positive := Pos.of_succ_nat i.

Section Functions.
  Variables (D : nat) (P : nat -> Z) (space : differential D P).
  Notation F := (F space). Notation K := (K space). Notation d := (d (d:=space)). Notation x := (x space).
  Notation smooth := (smooth (d:=space)). Notation at_point := (at_point (d:=space)).
  Add Ring F_ring : (ring_laws F).
  Add Ring K_ring4 : (ring_laws K).
  Local Open Scope ring_of_functions.

  (** What is claimed of functions. *)
  Definition constant (s : F) : Prop := smooth s /\ forall i, (i < D)%nat -> d i s = 0.

  (* The coordinates, then parameters of the family. *)
  Definition named (s : nat -> F) (v : positive) : F :=
    let n := pred (Pos.to_nat v) in if (n <? D)%nat then x n else s (n - D)%nat.

  (* X is a family of vector fields, polynomials in x and s, the same number of s in all. *)
  Definition along (X : nat -> poly) (s : nat -> F) (h : F) : F := sum D (fun i => value (named s) (X i) * d i h).
  Definition C2 (h : F) : Prop :=
    smooth h /\ (forall i, (i < D)%nat -> smooth (d i h)) /\
    forall i j, (i < D)%nat -> (j < D)%nat -> d i (d j h) = d j (d i h).
  Definition conserved (X : nat -> poly) (h : F) : Prop := forall s, (forall j, constant (s j)) -> along X s h = 0.
  Definition independent (n : nat) (h : nat -> F) : Prop :=
    forall c : nat -> K, (forall i, (i < D)%nat -> sum n (fun j => c j * at_point (d i (h j))) = 0) ->
    forall j, (j < n)%nat -> c j = 0.
  Definition polynomial (p : poly) : F := value (named (fun _ => 0)) p.

  (** Derivatives of constants and of polynomials. *)
  Lemma d_one i : (i < D)%nat -> d i 1 = 0.
  Proof.
    intros H. assert (E := d_times H (smooth_one space) (smooth_one space)).
    replace (1 * 1) with (1 : F) in E by ring.
    transitivity (d i 1 * 1 + 1 * d i 1 - d i 1). ring. rewrite <- E. ring.
  Qed.
  Lemma smooth_zero : smooth 0.
  Proof. replace 0 with (1 + - (1 : F)) by ring. apply smooth_plus. apply smooth_one. apply smooth_opp, smooth_one. Qed.
  Lemma d_zero i : (i < D)%nat -> d i 0 = 0.
  Proof.
    intros H. assert (E := d_plus H smooth_zero smooth_zero). replace (0 + 0) with (0 : F) in E by ring.
    transitivity (d i 0 + d i 0 - d i 0). ring. rewrite <- E. ring.
  Qed.
  Lemma constant_zero : constant 0. Proof. split. apply smooth_zero. apply d_zero. Qed.
  Lemma constant_one : constant 1. Proof. split. apply smooth_one. apply d_one. Qed.
  Lemma constant_plus a b : constant a -> constant b -> constant (a + b).
  Proof.
    intros [A A'] [B B']. split. apply smooth_plus; auto. intros i Hi. rewrite d_plus, A', B' by auto. ring.
  Qed.
  Lemma constant_times a b : constant a -> constant b -> constant (a * b).
  Proof.
    intros [A A'] [B B']. split. apply smooth_times; auto. intros i Hi. rewrite d_times, A', B' by auto. ring.
  Qed.
  Lemma constant_opp a : constant a -> constant (- a).
  Proof.
    intros [A A']. split. apply smooth_opp; auto. intros i Hi.
    assert (E := d_plus Hi A (smooth_opp A)). replace (a + - a) with (0 : F) in E by ring.
    rewrite d_zero, A' in E by auto. rewrite E at 1. ring.
  Qed.
  Lemma constant_inj z : constant (inj F z).
  Proof.
    assert (N : forall p, constant (inj F (Zpos p))).
    { intros p. pattern p. apply Pos.peano_ind. apply constant_one. intros q H.
      rewrite <- Pos.add_1_r, Pos2Z.inj_add, inj_plus. apply constant_plus; auto. apply constant_one. }
    destruct z. apply constant_zero. auto. change (Z.neg p) with (- Zpos p)%Z. rewrite inj_opp. apply constant_opp; auto.
  Qed.

  Variable s : nat -> F.
  Hypothesis constants : forall j, constant (s j).

  Lemma to_nat_var i : pred (Pos.to_nat (var i)) = i.
  Proof. unfold var. rewrite SuccNat2Pos.id_succ. reflexivity. Qed.

  Lemma smooth_named v : smooth (named s v).
  Proof.
    unfold named. destruct (Nat.ltb_spec (pred (Pos.to_nat v)) D). apply smooth_x; auto. apply constants.
  Qed.
  Lemma d_named i v : (i < D)%nat -> d i (named s v) = if Pos.eqb v (var i) then 1 else 0.
  Proof.
    intros Hi. unfold named. destruct (Nat.ltb_spec (pred (Pos.to_nat v)) D) as [L|L].
    - rewrite d_x by auto. destruct (Nat.eqb_spec i (pred (Pos.to_nat v))) as [E|N].
      + replace (Pos.eqb v (var i)) with true. reflexivity. symmetry. apply Pos.eqb_eq. unfold var. subst i.
        apply Pos2Nat.inj. rewrite SuccNat2Pos.id_succ. assert (H := Pos2Nat.is_pos v). lia.
      + destruct (Pos.eqb_spec v (var i)) as [->|]; auto. rewrite to_nat_var in N. lia.
    - destruct (Pos.eqb_spec v (var i)) as [->|]; [rewrite to_nat_var in L; lia|]. apply constants; auto.
  Qed.
  Lemma smooth_mvalue m : smooth (mvalue (named s) m).
  Proof. induction m; simpl. apply smooth_one. apply smooth_times; auto. apply smooth_named. Qed.
  Lemma smooth_value p : smooth (value (named s) p).
  Proof.
    induction p as [|[c m] p IH]; simpl. apply smooth_zero. apply smooth_plus; auto.
    apply smooth_times. apply constant_inj. apply smooth_mvalue.
  Qed.
  Lemma d_mvalue i m : (i < D)%nat ->
    let (k, r) := mderiv (var i) m in d i (mvalue (named s) m) = inj F k * mvalue (named s) r.
  Proof.
    intros Hi. induction m as [|v m IH]; simpl. rewrite d_one, inj_0 by auto. ring.
    assert (E := value_mderiv (named s) (var i) m).
    destruct (mderiv (var i) m) as [k r].
    assert (H : d i (named s v * mvalue (named s) m) =
      (if Pos.eqb v (var i) then 1 else 0) * mvalue (named s) m + named s v * (inj F k * mvalue (named s) r)).
    { rewrite d_times, d_named, IH; auto. apply smooth_named. apply smooth_mvalue. }
    destruct (Pos.eqb_spec v (var i)) as [->|].
    - rewrite H, inj_plus, inj_1.
      transitivity (mvalue (named s) m + inj F k * (named s (var i) * mvalue (named s) r)). ring. rewrite E. ring.
    - rewrite H. simpl. ring.
  Qed.
  Lemma d_value i p : (i < D)%nat -> d i (value (named s) p) = value (named s) (pderiv (var i) p).
  Proof.
    intros Hi. induction p as [|[c m] p IH]; simpl. apply d_zero; auto.
    destruct (constant_inj c) as [C C'].
    rewrite d_plus, d_times, IH, C'; auto using smooth_mvalue, smooth_value.
    2: apply smooth_times; auto using smooth_mvalue.
    assert (E := d_mvalue m Hi). destruct (mderiv (var i) m) as [k r]. rewrite E.
    destruct (Z.eqb_spec k 0) as [->|]. rewrite inj_0. ring. simpl. rewrite inj_times. ring.
  Qed.
End Functions.

(** * Members of the Lie algebra *)

Definition comp (A : list poly) (i : nat) : poly := nth i A [].

(* Numbers in place of the parameters of the family. *)
Fixpoint mplug (D : nat) (seed : list Z) (m : mono) : Z * mono :=
  match m with
  | [] => (1%Z, [])
  | v :: m =>
    let (c, r) := mplug D seed m in
    let n := pred (Pos.to_nat v) in if (n <? D)%nat then (c, v :: r) else ((nth (n - D) seed 0 * c)%Z, r)
  end.
Fixpoint pplug (D : nat) (seed : list Z) (p : poly) : poly :=
  match p with
  | [] => []
  | (c, m) :: p =>
    let (k, r) := mplug D seed m in
    if Z.eqb (c * k) 0 then pplug D seed p else padd [((c * k)%Z, r)] (pplug D seed p)
  end.

Inductive member := Field (seed : list Z) | Bracket (a b : member).

(* Component i of [A, B] = dA B - dB A. *)
Definition bracket (D : nat) (A B : list poly) (i : nat) : poly :=
  psum D (fun j => psub (pmul (pderiv (var j) (comp A i)) (comp B j)) (pmul (pderiv (var j) (comp B i)) (comp A j))).
Fixpoint vector (D : nat) (X : list poly) (m : member) : list poly :=
  match m with
  | Field seed => map (pplug D seed) X
  | Bracket a b => let A := vector D X a in let B := vector D X b in map (bracket D A B) (seq 0 D)
  end.

Lemma nth_map_seq T (f : nat -> T) n k e : (k < n)%nat -> nth k (map f (seq 0 n)) e = f k.
Proof.
  intros H. rewrite nth_indep with (d' := f O) by (rewrite map_length, seq_length; exact H).
  rewrite map_nth, seq_nth; auto.
Qed.

Section Members.
  Variables (D : nat) (P : nat -> Z) (space : differential D P).
  Notation F := (F space). Notation K := (K space). Notation d := (d (d:=space)). Notation x := (x space).
  Notation smooth := (smooth (d:=space)). Notation at_point := (at_point (d:=space)).
  Notation fn := (polynomial space). Notation nm := (@named D P space).
  Add Ring F_ring2 : (ring_laws F).
  Add Ring K_ring5 : (ring_laws K).
  Local Open Scope ring_of_functions.

  Lemma value_mplug seed m : let (c, r) := mplug D seed m in
    mvalue (nm (fun j => inj F (nth j seed 0%Z))) m = inj F c * mvalue (nm (fun _ => 0)) r.
  Proof.
    induction m as [|v m IH]; simpl. rewrite inj_1. ring.
    destruct (mplug D seed m) as [c r]. rewrite IH.
    assert (E : forall s, nm s v = if (pred (Pos.to_nat v) <? D)%nat then x (pred (Pos.to_nat v))
      else s (pred (Pos.to_nat v) - D)%nat) by reflexivity.
    rewrite !E. destruct (pred (Pos.to_nat v) <? D)%nat eqn:L; cbn [mvalue].
    - rewrite E. ring.
    - rewrite inj_times. ring.
  Qed.
  Lemma value_pplug seed p :
    fn (pplug D seed p) = value (nm (fun j => inj F (nth j seed 0%Z))) p.
  Proof.
    unfold polynomial. induction p as [|[c m] p IH]; simpl. reflexivity.
    assert (E := value_mplug seed m). destruct (mplug D seed m) as [k r]. rewrite E.
    destruct (Z.eqb_spec (c * k) 0) as [Z0|_].
    - rewrite IH. assert (H := inj_times F c k). rewrite Z0, inj_0 in H.
      transitivity (0 * mvalue (nm (fun _ => 0)) r + value (nm (fun j => inj F (nth j seed 0%Z))) p). ring.
      rewrite H. ring.
    - rewrite value_padd, IH. simpl. rewrite inj_times. ring.
  Qed.

  Lemma smooth_polynomial p : smooth (fn p).
  Proof. apply smooth_value. intros; apply constant_zero. Qed.
  Lemma d_polynomial i p : (i < D)%nat -> d i (fn p) = fn (pderiv (var i) p).
  Proof. apply d_value. intros; apply constant_zero. Qed.

  Lemma smooth_sum n (f : nat -> F) : (forall i, (i < n)%nat -> smooth (f i)) -> smooth (sum n f).
  Proof. induction n; intros H; simpl. apply smooth_zero. apply smooth_plus; auto. Qed.
  Lemma d_sum j n (f : nat -> F) : (j < D)%nat -> (forall i, (i < n)%nat -> smooth (f i)) ->
    d j (sum n f) = sum n (fun i => d j (f i)).
  Proof.
    intros Hj. induction n; intros H; simpl. apply d_zero; auto.
    rewrite d_plus, IHn; auto. apply smooth_sum; auto.
  Qed.

  Definition kills (A : nat -> F) (h : F) : Prop := sum D (fun i => A i * d i h) = 0.

  (* A function killed by two fields is killed by their bracket. *)
  Lemma killed_bracket (A B : nat -> F) h : C2 h ->
    (forall i, (i < D)%nat -> smooth (A i)) -> (forall i, (i < D)%nat -> smooth (B i)) -> kills A h -> kills B h ->
    kills (fun i => sum D (fun j => d j (A i) * B j - d j (B i) * A j)) h.
  Proof.
    intros [_ [S C]] SA SB KA KB.
    assert (G : forall V, (forall i, (i < D)%nat -> smooth (V i)) -> kills V h -> forall j, (j < D)%nat ->
      sum D (fun i => d j (V i) * d i h) = - sum D (fun i => V i * d j (d i h))).
    { intros V SV KV j Hj.
      assert (E : d j (sum D (fun i => V i * d i h)) = 0) by (rewrite KV; apply d_zero; auto).
      rewrite d_sum in E; auto. 2: intros; apply smooth_times; auto.
      rewrite (@sum_ext _ D _ (fun i => d j (V i) * d i h + V i * d j (d i h))) in E.
      2: intros; apply d_times; auto.
      rewrite sum_plus in E.
      transitivity (sum D (fun i => d j (V i) * d i h) + sum D (fun i => V i * d j (d i h))
        - sum D (fun i => V i * d j (d i h))). ring. rewrite E. ring. }
    assert (M : forall V W, (forall i, (i < D)%nat -> smooth (V i)) -> kills V h ->
      sum D (fun i => sum D (fun j => d j (V i) * W j) * d i h)
      = - sum D (fun i => sum D (fun j => V i * W j * d j (d i h)))).
    { intros V W SV KV. rewrite (@sum_ext _ D _ (fun i => sum D (fun j => W j * (d j (V i) * d i h)))).
      2: { intros. rewrite sum_times_r. apply sum_ext. intros. ring. }
      rewrite sum_swap.
      rewrite (@sum_ext _ D _ (fun j => 0 - sum D (fun i => V i * W j * d j (d i h)))).
      2: { intros j Hj. rewrite <- sum_times, (G V SV KV j Hj).
           transitivity (0 - W j * sum D (fun i => V i * d j (d i h))). ring.
           f_equal. rewrite sum_times. apply sum_ext. intros. ring. }
      rewrite sum_minus, (@sum_zero _ D (fun _ => 0)) by auto. rewrite sum_swap. ring. }
    unfold kills.
    rewrite (@sum_ext _ D _ (fun i => sum D (fun j => d j (A i) * B j) * d i h - sum D (fun j => d j (B i) * A j) * d i h)).
    2: { intros. rewrite sum_minus. ring. }
    rewrite sum_minus, M, M by auto.
    rewrite (@sum_swap _ D D (fun i j => B i * A j * d j (d i h))).
    rewrite (@sum_ext _ D (fun j => sum D (fun i => B i * A j * d j (d i h)))
      (fun i => sum D (fun j => A i * B j * d j (d i h)))).
    ring.
    intros i Hi. apply sum_ext. intros j Hj. rewrite C by auto. ring.
  Qed.

  Lemma comp_map (f : poly -> poly) X i : f [] = [] -> comp (map f X) i = f (comp X i).
  Proof. intros H. unfold comp. rewrite <- H at 1. apply map_nth. Qed.

  Lemma killed X h m : C2 h -> conserved (comp X) h -> kills (fun i => fn (comp (vector D X m) i)) h.
  Proof.
    intros S H. induction m as [seed|a IHa b IHb].
    - unfold kills. rewrite <- (H (fun j => inj F (nth j seed 0%Z))).
      + apply sum_ext. intros i Hi. simpl. rewrite comp_map by reflexivity. rewrite value_pplug. reflexivity.
      + intros. apply constant_inj.
    - assert (E := killed_bracket S (fun i _ => smooth_polynomial (comp (vector D X a) i))
        (fun i _ => smooth_polynomial (comp (vector D X b) i)) IHa IHb).
      unfold kills in *. rewrite <- E. apply sum_ext. intros i Hi. f_equal.
      unfold comp at 1. simpl. rewrite nth_map_seq by auto. unfold bracket, polynomial. rewrite value_psum.
      apply sum_ext. intros j Hj. rewrite value_psub, !value_pmul.
      change (value (nm (fun _ => 0)) ?p) with (fn p). rewrite !d_polynomial by auto. reflexivity.
  Qed.

  (** Polynomials are C^2. *)
  Lemma C2_constant (a : F) : constant a -> C2 a.
  Proof.
    intros [S C]. split; [auto|split].
    - intros i Hi. rewrite C by auto. apply smooth_zero.
    - intros i j Hi Hj. rewrite (C i), (C j), !d_zero by auto. reflexivity.
  Qed.
  Lemma C2_plus (a b : F) : C2 a -> C2 b -> C2 (a + b).
  Proof.
    intros [A [A' A'']] [B [B' B'']]. split; [apply smooth_plus; auto|split].
    - intros i Hi. rewrite d_plus by auto. apply smooth_plus; auto.
    - intros i j Hi Hj. rewrite !d_plus, A'', B'' by auto. reflexivity.
  Qed.
  Lemma C2_times (a b : F) : C2 a -> C2 b -> C2 (a * b).
  Proof.
    intros [A [A' A'']] [B [B' B'']]. split; [apply smooth_times; auto|split].
    - intros i Hi. rewrite d_times by auto. apply smooth_plus; apply smooth_times; auto.
    - intros i j Hi Hj.
      assert (E : forall i j, (i < D)%nat -> (j < D)%nat ->
        d i (d j (a * b)) = d i (d j a) * b + d j a * d i b + (d i a * d j b + a * d i (d j b))).
      { intros k l Hk Hl. rewrite (d_times Hl), d_plus, !(d_times Hk) by auto using smooth_times. reflexivity. }
      rewrite !E, A'', B'' by auto. ring.
  Qed.
  Lemma C2_x i : (i < D)%nat -> C2 (x i).
  Proof.
    intros H. split; [apply smooth_x; auto|split].
    - intros j Hj. rewrite d_x by auto. destruct (j =? i)%nat. apply smooth_one. apply smooth_zero.
    - assert (E : forall j k, (j < D)%nat -> (k < D)%nat -> d j (d k (x i)) = 0).
      { intros j k Hj Hk. rewrite d_x by auto. destruct (k =? i)%nat. apply d_one; auto. apply d_zero; auto. }
      intros j k Hj Hk. rewrite !E by auto. reflexivity.
  Qed.
  Lemma C2_polynomial p : C2 (fn p).
  Proof.
    unfold polynomial. induction p as [|[c m] p IH]; simpl. apply C2_constant, constant_zero.
    apply C2_plus; auto. apply C2_times. apply C2_constant, constant_inj.
    induction m as [|v m IHm]; simpl. apply C2_constant, constant_one. apply C2_times; auto.
    unfold named. destruct (Nat.ltb_spec (pred (Pos.to_nat v)) D). apply C2_x; auto. apply C2_constant, constant_zero.
  Qed.

  (** Laws are polynomials in the coordinates alone. *)
  Definition closed (p : poly) : bool := forallb (fun t => forallb (fun v => (pred (Pos.to_nat v) <? D)%nat) (snd t)) p.
  Lemma value_closed s p : closed p = true -> value (nm s) p = fn p.
  Proof.
    unfold polynomial. induction p as [|[c m] p IH]; simpl; auto.
    intros H. apply andb_true_iff in H. destruct H as [Hm Hp]. rewrite IH by auto. f_equal. f_equal.
    clear - Hm. induction m as [|v m IH]; simpl in *; auto.
    apply andb_true_iff in Hm. destruct Hm as [Hv Hm]. rewrite IH by auto. f_equal.
    unfold named. rewrite Hv. reflexivity.
  Qed.

  Definition moved (X : list poly) (h : poly) : poly := psum D (fun i => pmul (comp X i) (pderiv (var i) h)).
  Lemma conserved_polynomial X h : closed h = true -> moved X h = [] -> conserved (comp X) (fn h).
  Proof.
    intros C M s H. unfold along. transitivity (value (nm s) (moved X h)).
    - unfold moved. rewrite value_psum. apply sum_ext. intros i Hi. rewrite value_pmul. f_equal.
      rewrite <- (value_closed s C). apply d_value; auto.
    - rewrite M. reflexivity.
  Qed.

  (** Values at the point are integers. *)
  Definition place (v : positive) : Z := let n := pred (Pos.to_nat v) in if (n <? D)%nat then P n else 0%Z.
  Definition number (p : poly) : Z := @value Zring place p.
  Lemma at_zero : at_point 0 = 0.
  Proof.
    assert (E := at_plus (0 : F) 0). replace (0 + 0) with (0 : F) in E by ring.
    transitivity (at_point 0 + at_point 0 - at_point 0). ring. rewrite <- E. ring.
  Qed.
  Lemma at_inj z : at_point (inj F z) = inj K z.
  Proof.
    assert (N : forall p, at_point (inj F (Zpos p)) = inj K (Zpos p)).
    { intros p. pattern p. apply Pos.peano_ind. apply at_one. intros q H.
      rewrite <- Pos.add_1_r, Pos2Z.inj_add, !inj_plus, at_plus, H. f_equal. apply at_one. }
    destruct z as [|p|p]; auto. apply at_zero.
    assert (E : at_point (inj F (Zpos p) + inj F (Zneg p)) = 0).
    { rewrite <- inj_plus, Z.add_opp_diag_r. apply at_zero. }
    change (Z.neg p) with (- Zpos p)%Z in *. rewrite at_plus, N in E. rewrite (inj_opp K).
    transitivity (inj K (Zpos p) + at_point (inj F (- Zpos p)) - inj K (Zpos p)). ring. rewrite E. ring.
  Qed.
  Lemma inj_Z z : inj Zring z = z.
  Proof.
    assert (N : forall p, inj Zring (Zpos p) = Zpos p).
    { intros p. pattern p. apply Pos.peano_ind. reflexivity. intros q H.
      rewrite <- Pos.add_1_r, Pos2Z.inj_add, inj_plus, H. reflexivity. }
    destruct z; auto. change (Z.neg p) with (- Zpos p)%Z. rewrite inj_opp, N. reflexivity.
  Qed.
  Lemma at_mvalue m : at_point (mvalue (nm (fun _ => 0)) m) = inj K (@mvalue Zring place m).
  Proof.
    induction m as [|v m IH]; simpl. apply at_one. rewrite at_times, IH, inj_times. f_equal.
    unfold named, place. destruct (Nat.ltb_spec (pred (Pos.to_nat v)) D). apply at_x; auto. apply at_zero.
  Qed.
  Lemma at_polynomial p : at_point (fn p) = inj K (number p).
  Proof.
    unfold polynomial, number. induction p as [|[c m] p IH]; simpl. apply at_zero.
    rewrite at_plus, at_times, IH, at_inj, at_mvalue, inj_plus, inj_times, inj_Z. reflexivity.
  Qed.
End Members.

(** * Reading modulo p *)

Definition cong (p a b : Z) : Prop := (p | a - b)%Z.

Section Modulo.
  Variable p : Z.
  Variable rho : positive -> Z.

  Fixpoint mmod (m : mono) : Z := match m with [] => 1%Z | v :: m => (rho v * mmod m mod p)%Z end.
  Fixpoint pmod (q : poly) : Z := match q with [] => 0%Z | (c, m) :: q => ((c * mmod m + pmod q) mod p)%Z end.
  Fixpoint dot (a b : list Z) : Z := match a, b with x :: a, y :: b => (x * y + dot a b)%Z | _, _ => 0%Z end.

  Lemma cong_refl a : cong p a a.
  Proof. unfold cong. rewrite Z.sub_diag. apply Z.divide_0_r. Qed.
  Lemma cong_trans a b c : cong p a b -> cong p b c -> cong p a c.
  Proof. unfold cong. intros H G. replace (a - c)%Z with ((a - b) + (b - c))%Z by ring. apply Z.divide_add_r; auto. Qed.
  Lemma cong_plus a b c e : cong p a b -> cong p c e -> cong p (a + c) (b + e).
  Proof. unfold cong. intros H G. replace (a + c - (b + e))%Z with ((a - b) + (c - e))%Z by ring. apply Z.divide_add_r; auto. Qed.
  Lemma cong_minus a b c e : cong p a b -> cong p c e -> cong p (a - c) (b - e).
  Proof. unfold cong. intros H G. replace (a - c - (b - e))%Z with ((a - b) - (c - e))%Z by ring. apply Z.divide_sub_r; auto. Qed.
  Lemma cong_times a b c e : cong p a b -> cong p c e -> cong p (a * c) (b * e).
  Proof.
    unfold cong. intros H G. replace (a * c - b * e)%Z with ((a - b) * c + b * (c - e))%Z by ring.
    apply Z.divide_add_r. apply Z.divide_mul_l; auto. apply Z.divide_mul_r; auto.
  Qed.
  Lemma cong_sum n f g : (forall i, (i < n)%nat -> cong p (f i) (g i)) -> cong p (Zsum n f) (Zsum n g).
  Proof. intros H. unfold cong. rewrite <- Zsum_minus. apply Zsum_divide. exact H. Qed.

  Hypothesis p_large : (1 < p)%Z.
  Lemma cong_mod a : cong p (a mod p) a.
  Proof.
    exists (- (a / p))%Z. assert (E := Z_div_mod_eq_full a p). lia.
  Qed.
  Lemma cong_mmod m : cong p (mmod m) (@mvalue Zring rho m).
  Proof.
    induction m; simpl. apply cong_refl. eapply cong_trans. apply cong_mod.
    apply cong_times; auto. apply cong_refl.
  Qed.
  Lemma cong_pmod q : cong p (pmod q) (@value Zring rho q).
  Proof.
    induction q as [|[c m] q IH]; simpl. apply cong_refl. eapply cong_trans. apply cong_mod.
    apply cong_plus; auto. apply cong_times. rewrite inj_Z. apply cong_refl. apply cong_mmod.
  Qed.
End Modulo.

Lemma dot_sum n : forall a b, length a = n -> length b = n -> dot a b = Zsum n (fun k => nth k a 0 * nth k b 0)%Z.
Proof.
  induction n; intros [|x a] [|y b]; simpl; intros; try discriminate; auto.
  rewrite IHn by congruence. symmetry. exact (@sum_split Zring 1 n _).
Qed.

Definition entry (M : list (list Z)) (i j : nat) : Z := nth j (nth i M []) 0%Z.
Definition square (n : nat) (M : list (list Z)) : bool :=
  (length M =? n)%nat && forallb (fun r => (length r =? n)%nat) M.
Definition columns (n : nat) (M : list (list Z)) : list (list Z) := map (fun j => map (fun r => nth j r 0%Z) M) (seq 0 n).

(* M N = 1 modulo p. *)
Definition is_inverse (p : Z) (n : nat) (M N : list (list Z)) : bool :=
  let C := columns n N in
  forallb (fun i => let r := nth i M [] in
    forallb (fun j => Z.eqb ((dot r (nth j C []) - delta i j) mod p) 0) (seq 0 n)) (seq 0 n).

Lemma square_row n M i : square n M = true -> (i < n)%nat -> length (nth i M []) = n.
Proof.
  unfold square. rewrite andb_true_iff, forallb_forall, Nat.eqb_eq. intros [L H] Hi.
  apply Nat.eqb_eq, H, nth_In. lia.
Qed.
Lemma is_inverse_ok p n M N : (1 < p)%Z -> square n M = true -> square n N = true -> is_inverse p n M N = true ->
  inverse_mod p n (entry M) (entry N).
Proof.
  intros Hp SM SN H i j Hi Hj. unfold is_inverse in H.
  rewrite forallb_forall in H. assert (G := H i). rewrite in_seq in G. specialize (G ltac:(lia)). cbv zeta in G.
  rewrite forallb_forall in G. specialize (G j). rewrite in_seq in G. specialize (G ltac:(lia)).
  apply Z.eqb_eq, Zmod_divide in G; [|lia].
  unfold columns in G. rewrite nth_map_seq in G by auto. rewrite dot_sum with (n := n) in G.
  - replace (Zsum n (fun k => entry M i k * entry N k j))%Z
      with (Zsum n (fun k => nth k (nth i M []) 0 * nth k (map (fun r => nth j r 0%Z) N) 0)%Z); auto.
    apply Zsum_ext. intros k Hk. unfold entry. f_equal.
    assert (E : forall l, nth k (map (fun r : list Z => nth j r 0%Z) l) 0%Z = nth j (nth k l []) 0%Z).
    { intros l. assert (Q := map_nth (fun r : list Z => nth j r 0%Z) l [] k). destruct j; exact Q. }
    apply E.
  - apply square_row; auto.
  - rewrite map_length. unfold square in SN. rewrite andb_true_iff, Nat.eqb_eq in SN. apply SN.
Qed.

(** * The check, and what it shows *)

Section Check.
  Variables (D : nat) (X laws : list poly) (members : list member) (P : list Z) (p : Z) (N : list (list Z)).

  Definition at_P (i : nat) : Z := nth i P 0%Z.
  Let rho := place D at_P.

  (* Members at the point modulo p; the outermost bracket by the chain rule, not multiplied out. *)
  Definition row (m : member) : list Z :=
    match m with
    | Field _ => map (pmod p rho) (vector D X m)
    | Bracket a b =>
      let A := vector D X a in let B := vector D X b in
      let a := map (pmod p rho) A in let b := map (pmod p rho) B in
      let jacobian (V : list poly) i := map (fun j => pmod p rho (pderiv (var j) (comp V i))) (seq 0 D) in
      map (fun i => ((dot (jacobian A i) b - dot (jacobian B i) a) mod p)%Z) (seq 0 D)
    end.
  Definition gradient (h : poly) : list poly := map (fun i => pderiv (var i) h) (seq 0 D).
  Definition matrix : list (list Z) := map row members ++ map (fun h => map (pmod p rho) (gradient h)) laws.

  Definition check : bool :=
    (1 <? p)%Z && (length members + length laws =? D)%nat && (length X =? D)%nat && (length P =? D)%nat &&
    forallb (fun h => closed D h && match moved D X h with [] => true | _ => false end) laws &&
    let M := matrix in square D M && square D N && is_inverse p D M N && is_inverse p D N M.

  Let k := length members.
  Let n := length laws.
  Definition law (j : nat) : poly := nth j laws [].
  Definition exact_row (i : nat) : list poly :=
    if (i <? k)%nat then vector D X (nth i members (Field [])) else gradient (law (i - k)).
  Definition exact (i j : nat) : Z := number D at_P (comp (exact_row i) j).

  Hypothesis checked : check = true.

  Lemma checks : (1 < p)%Z /\ (k + n = D)%nat /\ length X = D /\
    (forall j, (j < n)%nat -> closed D (law j) = true /\ moved D X (law j) = []) /\
    square D matrix = true /\ square D N = true /\ inverse_mod p D (entry matrix) (entry N) /\
    inverse_mod p D (entry N) (entry matrix).
  Proof.
    unfold check in checked. rewrite !andb_true_iff in checked.
    destruct checked as [[[[[Hp Hn] HX] HP] HL] [[[SM SN] I] J]].
    apply Z.ltb_lt in Hp. apply Nat.eqb_eq in Hn, HX.
    split; [auto|]. split; [auto|]. split; [auto|]. split.
    - intros j Hj. rewrite forallb_forall in HL. assert (G := HL (law j) (nth_In _ _ Hj)).
      rewrite andb_true_iff in G. destruct G as [G1 G2]. destruct (moved D X (law j)); auto; discriminate.
    - repeat split; auto; apply is_inverse_ok; auto.
  Qed.

  Lemma length_vector m : length (vector D X m) = D.
  Proof.
    destruct checks as [_ [_ [HX _]]]. destruct m; simpl; rewrite map_length; auto. apply seq_length.
  Qed.
  Lemma nth_pmod V i : nth i (map (pmod p rho) V) 0%Z = pmod p rho (comp V i).
  Proof. unfold comp. change 0%Z with (pmod p rho []) at 1. apply map_nth. Qed.

  Lemma cong_number q : cong p (pmod p rho q) (number D at_P q).
  Proof. destruct checks as [Hp _]. apply cong_pmod; auto. Qed.

  Lemma cong_row m i : (i < D)%nat -> cong p (nth i (row m) 0%Z) (number D at_P (comp (vector D X m) i)).
  Proof.
    intros Hi. destruct checks as [Hp _]. destruct m as [seed|a b].
    - unfold row. rewrite nth_pmod. apply cong_number.
    - unfold row. rewrite nth_map_seq by auto. eapply cong_trans. apply cong_mod; auto.
      unfold comp at 3. simpl. rewrite nth_map_seq by auto. unfold number, bracket. rewrite value_psum.
      set (A := vector D X a). set (B := vector D X b).
      assert (E : forall V W, length W = D -> cong p
        (dot (map (fun j => pmod p rho (pderiv (var j) (comp V i))) (seq 0 D)) (map (pmod p rho) W))
        (Zsum D (fun j => number D at_P (pderiv (var j) (comp V i)) * number D at_P (comp W j))%Z)).
      { intros V W HW. rewrite dot_sum with (n := D).
        - apply cong_sum. intros j Hj. rewrite nth_map_seq, nth_pmod by auto. apply cong_times; apply cong_number.
        - rewrite map_length, seq_length. reflexivity.
        - rewrite map_length. auto. }
      eapply cong_trans. apply cong_minus; apply E; apply length_vector.
      rewrite <- Zsum_minus. apply cong_sum. intros j Hj.
      rewrite value_psub, !value_pmul. apply cong_refl.
  Qed.

  Lemma cong_entry i j : (i < D)%nat -> (j < D)%nat -> cong p (entry matrix i j) (exact i j).
  Proof.
    intros Hi Hj. destruct checks as [_ [Hn _]]. unfold entry, matrix, exact, exact_row.
    destruct (Nat.ltb_spec i k) as [L|L].
    - rewrite app_nth1 by (rewrite map_length; auto).
      rewrite nth_indep with (d' := row (Field [])) by (rewrite map_length; auto).
      rewrite map_nth. apply cong_row; auto.
    - rewrite app_nth2 by (rewrite map_length; auto). rewrite map_length. fold k.
      rewrite nth_indep with (d' := map (pmod p rho) (gradient [])) by (rewrite map_length; fold n; lia).
      rewrite (map_nth (fun h => map (pmod p rho) (gradient h))). rewrite nth_pmod. apply cong_number.
  Qed.

  Lemma exact_inverse : inverse_mod p D exact (entry N) /\ inverse_mod p D (fun i j => exact j i) (fun i j => entry N j i).
  Proof.
    destruct checks as [Hp [Hn [HX [HL [SM [SN [I J]]]]]]]. split; intros i j Hi Hj.
    - apply cong_trans with (b := Zsum D (fun k => entry matrix i k * entry N k j)%Z); [|apply I; auto].
      apply cong_sum. intros l Hl. apply cong_times; [|apply cong_refl].
      destruct (cong_entry Hi Hl) as [z E]. exists (- z)%Z. lia.
    - apply cong_trans with (b := Zsum D (fun k => entry N j k * entry matrix k i)%Z).
      + apply cong_sum. intros l Hl. rewrite (Z.mul_comm (entry N j l)). apply cong_times; [|apply cong_refl].
        destruct (cong_entry Hl Hi) as [z E]. exists (- z)%Z. lia.
      + replace (delta i j) with (delta j i) by (unfold delta; rewrite Nat.eqb_sym; reflexivity). apply J; auto.
  Qed.

  Variable space : differential D at_P.
  Notation F := (F space). Notation K := (K space). Notation d := (d (d:=space)).
  Notation at_point := (at_point (d:=space)).
  Add Ring K_ring6 : (ring_laws K).
  Local Open Scope ring_of_functions.

  Lemma at_sum m (f : nat -> F) : at_point (sum m f) = sum m (fun i => at_point (f i)).
  Proof. induction m; simpl. apply at_zero. rewrite at_plus, IHm. reflexivity. Qed.

  Lemma row_kills h i : (i < k)%nat -> C2 h -> conserved (comp X) h ->
    sum D (fun l => inj K (exact i l) * at_point (d l h)) = 0.
  Proof.
    intros Hi S H. assert (E := killed (nth i members (Field [])) S H). unfold kills in E.
    rewrite <- (at_zero space), <- E, at_sum. apply sum_ext. intros l Hl.
    rewrite at_times, at_polynomial. unfold exact, exact_row. apply Nat.ltb_lt in Hi. rewrite Hi. reflexivity.
  Qed.

  Definition the_law (j : nat) : F := polynomial space (law j).

  Theorem conserved_laws j : (j < n)%nat -> C2 (the_law j) /\ conserved (comp X) (the_law j).
  Proof.
    intros Hj. destruct checks as [_ [_ [_ [HL _]]]]. destruct (HL j Hj). split. apply C2_polynomial.
    apply conserved_polynomial; auto.
  Qed.

  Theorem independent_laws : independent n the_law.
  Proof.
    intros c H j Hj. destruct checks as [Hp [Hn _]].
    assert (G := @injective p D _ _ Hp (proj2 exact_inverse) K (characteristic_zero (d:=space))
      (fun i => if (i <? k)%nat then 0 else c (i - k)%nat)).
    specialize (fun H => G H (k + j)%nat). cbv beta in G.
    rewrite (proj2 (Nat.ltb_ge (k + j) k)) in G by lia. replace (k + j - k)%nat with j in G by lia.
    apply G; [|lia]. intros i Hi.
    transitivity (sum (k + n) (fun l => inj K (exact l i) * (if (l <? k)%nat then 0 else c (l - k)%nat))).
    { rewrite Hn. reflexivity. }
    rewrite sum_split, sum_zero.
    2: { intros l Hl. apply Nat.ltb_lt in Hl. rewrite Hl. ring. }
    refine (eq_trans _ (H i Hi)). transitivity (0 + sum n (fun l => c l * at_point (d i (the_law l)))); [|ring].
    f_equal. apply sum_ext. intros l Hl.
    rewrite (proj2 (Nat.ltb_ge (k + l) k)) by lia. replace (k + l - k)%nat with l by lia.
    unfold the_law. rewrite d_polynomial, at_polynomial by auto. unfold exact, exact_row.
    rewrite (proj2 (Nat.ltb_ge (k + l) k)) by lia. replace (k + l - k)%nat with l by lia.
    unfold comp, gradient. rewrite nth_map_seq by auto. ring.
  Qed.

  Theorem no_more (h : nat -> F) :
    (forall j, (j < S n)%nat -> C2 (h j) /\ conserved (comp X) (h j)) -> ~ independent (S n) h.
  Proof.
    intros H I. destruct checks as [Hp [Hn _]].
    destruct (@dependent K n (fun j i => sum D (fun l => inj K (exact (k + i) l) * at_point (d l (h j)))))
      as [c [[j [Hj Nj]] Hc]].
    apply Nj. apply I; [|lia].
    apply (@injective p D _ _ Hp (proj1 exact_inverse) K (characteristic_zero (d:=space))
      (fun l => sum (S n) (fun j => c j * at_point (d l (h j))))).
    intros i Hi.
    transitivity (sum (S n) (fun j => c j * sum D (fun l => inj K (exact i l) * at_point (d l (h j))))).
    - rewrite (@sum_ext _ D _ (fun l => sum (S n) (fun j => c j * (inj K (exact i l) * at_point (d l (h j)))))).
      2: { intros l Hl. rewrite sum_times. apply sum_ext. intros. ring. }
      rewrite sum_swap. apply sum_ext. intros m Hm. rewrite sum_times. reflexivity.
    - destruct (Nat.lt_ge_cases i k) as [L|L].
      + apply sum_zero. intros m Hm. destruct (H m Hm). rewrite row_kills by auto. ring.
      + assert (Q := Hc (i - k)%nat ltac:(lia)). replace (k + (i - k))%nat with i in Q by lia. exact Q.
  Qed.
End Check.

(** In every space of functions: the laws are conserved and independent at the point, and no more can be. *)
Definition exactly (D : nat) (X laws : list poly) (P : list Z) : Prop :=
  forall space : differential D (at_P P),
    let n := length laws in
    (forall j, (j < n)%nat -> C2 (the_law laws space j) /\ conserved (comp X) (the_law laws space j)) /\
    independent n (the_law laws space) /\
    forall h : nat -> F space,
      (forall j, (j < S n)%nat -> C2 (h j) /\ conserved (comp X) (h j)) -> ~ independent (S n) h.

Theorem counted D X laws members P p N : check D X laws members P p N = true -> exactly D X laws P.
Proof.
  intros H space. split; [|split].
  - intros. eapply conserved_laws; eauto.
  - eapply independent_laws; eauto.
  - intros. eapply no_more; eauto.
Qed.
