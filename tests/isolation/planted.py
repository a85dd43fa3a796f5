"""Fifteen defects of isolation as people really make them, planted one at a time beside a table that is sound.

The defects and how other tools do with them: reference 4.2 of the plan; found by data, not by reading policies.
"""

# A table as it should be; PLANTED's statements come after it.
SOUND = """
create table public.planted (
  id uuid primary key default gen_random_uuid(), tenant_id uuid not null, user_id uuid not null,
  note text not null, contact_id uuid not null, unique (tenant_id, note),
  foreign key (tenant_id, contact_id) references public.contacts (tenant_id, id));
alter table public.planted owner to postgres;
comment on table public.planted is 'tenant=tenant_id personal=no export=no erase=with-tenant keep=while-customer';
insert into public.planted (tenant_id, user_id, note, contact_id)
  select m.tenant_id, m.user_id, replace(c.name, 'name', m.role || m.user_id), c.id
  from public.members m join public.contacts c on c.tenant_id = m.tenant_id and c.id::text like '%030';
alter table public.planted enable row level security;
alter table public.planted force row level security;
create policy second_factor on public.planted as restrictive for all to authenticated
  using ((select private.second_factor()) <> 'missing') with check ((select private.second_factor()) <> 'missing');
"""
_READS = (
    "create policy reads on public.planted for select to authenticated using ({});"
    "grant select on public.planted to authenticated;"
)
_MINE = "tenant_id in (select private.my_tenants())"
_SOUND_READS = _READS.format(_MINE)
# What a member may do with the sound table.
SOUND_RIGHTS = (
    _SOUND_READS
    + "create policy adds on public.planted for insert to authenticated"
    + f" with check ({_MINE} and user_id = auth.uid());"
    + f"create policy changes on public.planted for update to authenticated using ({_MINE}) with check ({_MINE});"
    + "grant insert (tenant_id, user_id, note, contact_id) on public.planted to authenticated;"
    "grant update (tenant_id, note) on public.planted to authenticated;"
)
_CALL = "grant execute on function public.planted_call(uuid) to {};"

PLANTED: dict[str, str] = {
    "table without row level security": SOUND_RIGHTS + "alter table public.planted disable row level security;",
    "select using (true)": _READS.format("true"),
    "update with check (true): a row hops into another tenant": SOUND_RIGHTS
    + "alter policy changes on public.planted with check (true);",
    "privileged function without a guard": "create function public.planted_call(p_contact uuid)"
    " returns setof public.contacts language sql security definer set search_path = ''"
    " as $$ select * from public.contacts where id = p_contact $$;" + _CALL.format("authenticated"),
    "privileged function whose guard lets null through": "create function public.planted_call(p_user uuid) returns void"
    " language plpgsql security definer set search_path = '' as $$ begin"
    " if auth.uid() <> p_user then raise 'no'; end if; delete from public.members where user_id = p_user; end $$;"
    + _CALL.format("anon, authenticated"),
    "view with its owner's rights": "create view public.planted_view as select * from public.planted;"
    "grant select on public.planted_view to authenticated;",
    "foreign key across tenants": SOUND_RIGHTS + "alter table public.planted drop constraint"
    " planted_tenant_id_contact_id_fkey, add foreign key (contact_id) references public.contacts (id);",
    "unique for all tenants": SOUND_RIGHTS + "create unique index planted_note on public.planted (note);",
    "policy on user_metadata": _SOUND_READS
    + "create policy claimed on public.planted for select to authenticated using"
    " (tenant_id::text = auth.jwt() -> 'user_metadata' ->> 'tenant_id');",
    "exists without correlation": _READS.format(
        f"{_MINE} or exists (select from public.members m where m.user_id = auth.uid())"
    ),
    "insert that checks the user and not the tenant": SOUND_RIGHTS
    + "alter policy adds on public.planted with check (user_id = auth.uid());",
    "membership by a join with itself": _READS.format(
        "exists (select from public.members m join public.members o on o.tenant_id = o.tenant_id"
        " where m.user_id = auth.uid())"
    ),
    "column captured by the inner table": _READS.format(
        "exists (select from public.members m where m.user_id = auth.uid() and m.tenant_id = tenant_id)"
    ),
    "materialised view": "create materialized view public.planted_view as select * from public.planted;"
    "grant select on public.planted_view to authenticated;",
    "storage policy without a folder": "create schema storage; grant usage on schema storage to authenticated;"
    "create table storage.objects (id uuid primary key, bucket_id text, name text, owner_id text);"
    "insert into storage.objects"
    " select gen_random_uuid(), 'files', tenant_id || '/' || note, user_id from public.planted;"
    "alter table storage.objects enable row level security; alter table storage.objects force row level security;"
    "grant select on storage.objects to authenticated;"
    "create policy files on storage.objects for select to authenticated using (bucket_id = 'files');",
}
