-- Who has set up a second factor must have given it. Restrictive, so it only narrows what the other policies allow.

-- 'none' is set up, or it is 'given', or 'missing'. Owned by postgres, as the one exception: Supabase Auth keeps its
-- factors behind row level security without a policy, so that no role that obeys it sees any. It takes no argument and
-- tells the caller one word about the caller.
create function private.second_factor() returns text
language sql stable security definer
set search_path = ''
as $$
  select case
    when nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'aal' = 'aal2' then 'given'
    when exists (select from auth.mfa_factors f where f.user_id = private.user_id() and f.status = 'verified')
      then 'missing'
    else 'none' end
$$;
grant execute on function private.second_factor() to authenticated;

-- Every table of a tenant that a member may reach: those with a policy for authenticated, but for what is everybody's.
-- Asked as an inequality of texts, for the planner's sake: it takes a bare condition to be true for half of the rows, and
-- over three tables then reads all conversations of a tenant to list the latest fifty (bench/bench_database.py).
do $$
declare
  v_table text;
begin
  for v_table in
    select distinct p.tablename from pg_policies p
    where p.schemaname = 'public' and 'authenticated' = any (p.roles) and p.tablename <> 'plans' order by 1
  loop
    execute format('create policy second_factor on public.%I as restrictive for all to authenticated '
      'using ((select private.second_factor()) <> ''missing'') with check ((select private.second_factor()) <> ''missing'')',
      v_table);
  end loop;
end $$;
