-- Files come straight to the bucket, and a worker makes passages of them: what a business uploads is read where it can do no
-- harm, and its owner sees what became of it. Passages are found by meaning and by their words.

-- Of a file: "awaited" until it lies in the bucket, "waiting" for a worker, "ready", or "refused" with the reason. `withheld`
-- counts passages that hold orders to the assistant; it is not told them.
alter table public.knowledge_files
  add column state text not null default 'ready' check (state in ('awaited', 'waiting', 'ready', 'refused')),
  add column reason text check (reason ~ '^[a-z_]{1,40}$'),
  add column withheld integer not null default 0 check (withheld >= 0),
  add column fence bigint not null default 0,
  -- Workers that took it and did not come back.
  add column attempts smallint not null default 0,
  add column claimed_until timestamptz,
  alter column sha256 drop not null,
  drop constraint knowledge_files_tenant_id_name_key;
-- A file that is read anew serves until the new one is ready.
create unique index knowledge_files_ready on public.knowledge_files (tenant_id, name) where state = 'ready';
create index knowledge_files_waiting on public.knowledge_files (created_at) where state = 'waiting';
revoke insert on public.knowledge_files from authenticated;
grant insert (tenant_id, name, media_type, bytes, sha256, object_key) on public.knowledge_files to authenticated;

drop policy service_tenant on public.knowledge_files;
drop policy service_tenant on public.knowledge_chunks;
create policy service_tenant on public.knowledge_files for all to portero_service
  using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()));
create policy service_tenant on public.knowledge_chunks for all to portero_service
  using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()));
grant insert, update, delete on public.knowledge_files to portero_service;
grant insert on public.knowledge_chunks to portero_service;
create policy sweep_waiting on public.knowledge_files for select to portero_sweep
  using (state = 'waiting' and (select private.called_by_server()));
grant select (id, tenant_id, state, created_at, claimed_until) on public.knowledge_files to portero_sweep;

-- In all three languages at once: a shop's file may be in any of them, and a customer may ask in another.
alter table public.knowledge_chunks add column words tsvector not null generated always as (
  to_tsvector('pg_catalog.spanish', body) || to_tsvector('pg_catalog.portuguese', body) || to_tsvector('pg_catalog.english', body))
  stored;
create index knowledge_chunks_words on public.knowledge_chunks using gin (words);

-- Any word of the question, however it is inflected.
create function private.any_word(p_question text) returns tsquery
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select nullif(concat_ws(' | ', nullif(replace(plainto_tsquery('spanish', p_question)::text, '&', '|'), ''),
    nullif(replace(plainto_tsquery('portuguese', p_question)::text, '&', '|'), ''),
    nullif(replace(plainto_tsquery('english', p_question)::text, '&', '|'), '')), '')::tsquery
$$;

-- Passages of one tenant: the nearest by meaning and the best by words, fused by reciprocal rank (Cormack, Clarke and
-- Buettcher, 2009; k = 60). Invoker's rights: a member searches under row level security.
drop function public.search_knowledge_for_turn(uuid, extensions.vector, integer);
drop function public.search_knowledge(uuid, extensions.vector, integer);
create function public.search_knowledge(p_tenant uuid, p_embedding extensions.vector, p_question text, p_limit integer)
returns table (body text, source text, distance double precision)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set hnsw.ef_search = 200
set hnsw.iterative_scan = strict_order
as $$
declare
  v_words tsquery := private.any_word(left(p_question, 2000));
begin
  return query
    with nearest as (
      select c.id, c.embedding operator(extensions.<=>) p_embedding as away
      from public.knowledge_chunks c where c.tenant_id = p_tenant order by away limit 20
    ), worded as (
      select c.id, ts_rank_cd(c.words, v_words) as rank
      from public.knowledge_chunks c where c.tenant_id = p_tenant and c.words @@ v_words order by rank desc, c.id limit 20
    ), fused as (
      select r.id, sum(1.0 / (60 + r.place)) as score from (
        select n.id, row_number() over (order by n.away) as place from nearest n union all
        select w.id, row_number() over (order by w.rank desc, w.id) from worded w) r
      group by r.id order by score desc, r.id limit least(greatest(p_limit, 1), 20)
    )
    select c.body, f.name, c.embedding operator(extensions.<=>) p_embedding from fused u
    join public.knowledge_chunks c on c.tenant_id = p_tenant and c.id = u.id
    join public.knowledge_files f on f.tenant_id = p_tenant and f.id = c.file_id
    order by u.score desc, u.id;
end $$;

-- The same search for a turn: the server's key, one tenant.
create function public.search_knowledge_for_turn(p_tenant uuid, p_embedding extensions.vector, p_question text, p_limit integer)
returns table (body text, source text, distance double precision)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return query select * from public.search_knowledge(p_tenant, p_embedding, p_question, p_limit);
end $$;

-- A member is about to upload: the row that waits for the file, and the key that it shall have. Returns {file, object_key},
-- or {refused: too_many} where twenty wait already. Who did not upload within an hour begins anew.
create function public.offer_file(p_tenant uuid, p_name text, p_media_type text, p_bytes integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file uuid := gen_random_uuid();
  v_key text := p_tenant::text || '/' || v_file::text;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  delete from public.knowledge_files f
    where f.tenant_id = p_tenant and f.state = 'awaited' and f.created_at < now() - interval '1 hour';
  if (select count(*) from public.knowledge_files f where f.tenant_id = p_tenant and f.state in ('awaited', 'waiting')) >= 20 then
    return jsonb_build_object('refused', 'too_many');
  end if;
  insert into public.knowledge_files (id, tenant_id, name, media_type, bytes, object_key, state)
    values (v_file, p_tenant, p_name, p_media_type, p_bytes, v_key, 'awaited');
  return jsonb_build_object('file', v_file, 'object_key', v_key);
end $$;

-- As before; a file of that name that still waits is another one.
create or replace function public.replace_knowledge(
  p_tenant uuid, p_name text, p_media_type text, p_bytes integer, p_sha256 text, p_object_key text, p_chunks jsonb)
returns uuid
language plpgsql security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file uuid;
begin
  delete from public.knowledge_files f where f.tenant_id = p_tenant and f.name = p_name and f.state = 'ready';
  insert into public.knowledge_files (tenant_id, name, media_type, bytes, sha256, object_key)
    values (p_tenant, p_name, p_media_type, p_bytes, p_sha256, p_object_key) returning id into v_file;
  insert into public.knowledge_chunks (tenant_id, file_id, position, body, embedding)
    select p_tenant, v_file, c.place - 1, c.chunk ->> 'body', (c.chunk ->> 'embedding')::extensions.vector
    from jsonb_array_elements(p_chunks) with ordinality as c (chunk, place);
  return v_file;
end $$;

-- The file lies in the bucket, says a member: a worker may read it. Its state now.
create function public.finish_upload(p_tenant uuid, p_file uuid) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  update public.knowledge_files f set state = case f.state when 'awaited' then 'waiting' else f.state end
    where f.tenant_id = p_tenant and f.id = p_file returning f.state into v_state;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  return v_state;
end $$;

-- A member takes a file away, and its passages with it. The key of its object, which is to go too.
create function public.remove_file(p_tenant uuid, p_file uuid) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  delete from public.knowledge_files f where f.tenant_id = p_tenant and f.id = p_file returning f.object_key into v_key;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  perform private.record_action(p_tenant, 'file.removed', p_file);
  return v_key;
end $$;

-- Claim a file to be read. {state: claimed | busy | done | absent} and, when claimed, {fence, attempts, name, media_type,
-- bytes, object_key, budget}.
create function public.claim_file(p_tenant uuid, p_file uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file public.knowledge_files;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_file from public.knowledge_files f where f.tenant_id = p_tenant and f.id = p_file for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_file.state <> 'waiting' then
    return jsonb_build_object('state', 'done');
  end if;
  if v_file.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.knowledge_files f set fence = f.fence + 1, attempts = f.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where f.tenant_id = p_tenant and f.id = p_file returning * into v_file;
  return jsonb_build_object('state', 'claimed', 'fence', v_file.fence, 'attempts', v_file.attempts, 'name', v_file.name, 'media_type', v_file.media_type,
    'bytes', v_file.bytes, 'object_key', v_file.object_key, 'budget', private.budget_facts(p_tenant));
end $$;

-- What became of a file: "ready" with its passages [{body, embedding}], in place of what had its name, or "refused" with a
-- reason; "waiting" gives it back. Returns the keys of the objects that nothing names any more.
create function public.settle_file(p_tenant uuid, p_file uuid, p_fence bigint, p_state text, p_reason text, p_sha256 text,
  p_bytes integer, p_withheld integer, p_chunks jsonb) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file public.knowledge_files;
  v_gone jsonb := '[]';
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_file from public.knowledge_files f where f.tenant_id = p_tenant and f.id = p_file
    and f.fence = p_fence and f.state = 'waiting' and f.claimed_until is not null for update;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  if p_state = 'ready' then
    with gone as (
      delete from public.knowledge_files f where f.tenant_id = p_tenant and f.name = v_file.name and f.state = 'ready'
        and f.id <> p_file returning f.object_key
    )
    select coalesce(jsonb_agg(g.object_key), '[]') into v_gone from gone g;
    insert into public.knowledge_chunks (tenant_id, file_id, position, body, embedding)
      select p_tenant, p_file, c.place - 1, c.chunk ->> 'body', (c.chunk ->> 'embedding')::extensions.vector
      from jsonb_array_elements(p_chunks) with ordinality as c (chunk, place);
  elsif p_state = 'refused' then
    v_gone := jsonb_build_array(v_file.object_key);
  end if;
  update public.knowledge_files f set state = p_state, reason = p_reason, sha256 = coalesce(p_sha256, f.sha256),
      bytes = coalesce(p_bytes, f.bytes), withheld = p_withheld, claimed_until = null, attempts = f.attempts - 1
    where f.tenant_id = p_tenant and f.id = p_file;
  return v_gone;
end $$;

-- What lies for longer than p_seconds, ids only: turns, sends, and files that wait for a worker.
do $$
declare
  v_sweep text := pg_get_functiondef('public.sweep(integer)'::regprocedure);
begin
  assert strpos(v_sweep, 'return jsonb_build_object(') > 0;
  execute replace(v_sweep, 'return jsonb_build_object(', $files$return jsonb_build_object(
    'files', (select coalesce(jsonb_agg(jsonb_build_object('tenant', s.tenant_id, 'file', s.id)), '[]')
      from (select f.tenant_id, f.id from public.knowledge_files f
        where f.state = 'waiting' and f.created_at < now() - make_interval(secs => p_seconds)
          and (f.claimed_until is null or f.claimed_until < now())
        order by f.created_at limit 100) s),$files$);
end $$;

-- What ended without an answer or did not leave, to be done again: p_what "turns" (a message's outcome is taken back) or
-- "sends". By ids, or of a time and a channel's kind; nothing is changed by a dry run. Whom nobody may write to any more is
-- left out, and a send that nobody knows the end of goes out again only where it is named. [{id, reason}], oldest first.
create function private.replay(p_tenant uuid, p_what text, p_ids uuid[], p_from timestamptz, p_to timestamptz, p_channel text,
  p_dry boolean) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found jsonb;
  v_ids uuid[];
begin
  if p_what not in ('turns', 'sends') then
    raise exception 'what is turns or sends' using errcode = '22023';
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'reason', r.reason) order by r.at), '[]'), coalesce(array_agg(r.id), '{}')
    into v_found, v_ids from (
      select b.id, b.outcome as reason, b.received_at as at, c.kind from public.inbox b
        join public.channels c on c.tenant_id = p_tenant and c.id = b.channel_id
        where p_what = 'turns' and b.tenant_id = p_tenant and b.kind = 'message'
          and b.outcome in ('failed', 'over_budget', 'outside_window', 'unsupported')
      union all
      select o.id, o.error, o.created_at, c.kind from public.outbox o
        join public.conversations v on v.tenant_id = p_tenant and v.id = o.conversation_id
        join public.channels c on c.tenant_id = p_tenant and c.id = v.channel_id
        where p_what = 'sends' and o.tenant_id = p_tenant and o.state = 'failed'
          and coalesce(o.error, '') not in ('opted_out', 'taken_over', 'outside_window')
          and (p_ids is not null or o.error is distinct from 'no_status')
    ) r
    where (p_ids is null or r.id = any (p_ids)) and r.at >= coalesce(p_from, '-infinity') and r.at < coalesce(p_to, 'infinity')
      and (p_channel is null or r.kind = p_channel);
  if p_dry then
    return v_found;
  end if;
  update public.inbox b set outcome = null, settled_at = null, turn_id = null, attempts = 0
    where p_what = 'turns' and b.tenant_id = p_tenant and b.id = any (v_ids);
  -- What the assistant had given up is its own again, unless somebody has taken it over.
  update public.conversations v set handled_by = 'assistant' from public.inbox b
    where p_what = 'turns' and b.tenant_id = p_tenant and b.id = any (v_ids) and v.tenant_id = p_tenant
      and v.id = b.conversation_id and v.taken_over_at is null;
  update public.outbox o set state = 'pending', error = null, next_attempt_at = now(), claimed_until = null, dispatched_at = null
    where p_what = 'sends' and o.tenant_id = p_tenant and o.id = any (v_ids);
  update public.messages m set status = 'queued' from public.outbox o
    where p_what = 'sends' and o.tenant_id = p_tenant and o.id = any (v_ids) and m.tenant_id = p_tenant
      and m.id = o.message_id and m.status = 'failed';
  perform private.record_action(p_tenant, case p_what when 'turns' then 'turn.replayed' else 'send.replayed' end, replayed.id)
    from unnest(v_ids) as replayed (id);
  return v_found;
end $$;

create function public.replay(p_tenant uuid, p_what text, p_ids uuid[], p_from timestamptz, p_to timestamptz, p_channel text,
  p_dry boolean) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return private.replay(p_tenant, p_what, p_ids, p_from, p_to, p_channel, p_dry);
end $$;

create function public.replay_mine(p_tenant uuid, p_what text, p_ids uuid[], p_from timestamptz, p_to timestamptz, p_channel text,
  p_dry boolean) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  return private.replay(p_tenant, p_what, p_ids, p_from, p_to, p_channel, p_dry);
end $$;

grant execute on function private.any_word(text) to authenticated, portero_service;
grant execute on function public.search_knowledge(uuid, extensions.vector, text, integer) to authenticated, portero_service;
grant execute on function public.search_knowledge_for_turn(uuid, extensions.vector, text, integer),
  public.claim_file(uuid, uuid, integer), public.replay(uuid, text, uuid[], timestamptz, timestamptz, text, boolean),
  public.settle_file(uuid, uuid, bigint, text, text, text, integer, integer, jsonb) to service_role;
grant execute on function public.offer_file(uuid, text, text, integer), public.finish_upload(uuid, uuid), public.remove_file(uuid, uuid),
  public.replay_mine(uuid, text, uuid[], timestamptz, timestamptz, text, boolean) to authenticated;
grant create on schema public, private to portero_service;
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p
    where (p.pronamespace = 'public'::regnamespace and p.proname in ('search_knowledge_for_turn', 'offer_file', 'finish_upload',
        'remove_file', 'claim_file', 'settle_file', 'replay', 'replay_mine'))
      or (p.pronamespace = 'private'::regnamespace and p.proname = 'replay')
  loop
    execute format('alter function %s owner to portero_service', v_function);
  end loop;
end $$;
revoke create on schema public, private from portero_service;
